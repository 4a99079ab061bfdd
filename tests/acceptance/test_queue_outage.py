"""While the queue server is away, each process that needs it says so once; then all goes on."""

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import redis

from tests.acceptance.program import Program
from tests.integration.helpers import until
from tests.integration.sandbox_helpers import call, reset
from tests.patience import patient
from worker.processes.embedded import find_server
from worker.sandbox.process import SandboxProcess

NOW = "2026-06-12T15:00:00+00:00"
BOOK = """msisdn,expires,email,language,operator,kind,holder
{number},2026-06-13,{number}@example.com,en,claro,data,Rosa
"""
PROCESSES = 2


class Queue:
    """A queue server that ends as if its power were cut, and forgets everything."""

    def __init__(self, folder: Path) -> None:
        self.url = f"unix://{folder}/q.sock"
        self._command = [str(find_server()), "--port", "0", "--unixsocket", f"{folder}/q.sock"]
        self._command += ["--save", "", "--dir", str(folder)]
        self.start()

    def start(self) -> None:
        self._server = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        client = redis.Redis.from_url(self.url)
        assert until(lambda: answers(client), 30)
        client.close()

    def kill(self) -> None:
        self._server.kill()
        self._server.wait()


def answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Queue]:
    found = Queue(tmp_path)
    yield found
    found.kill()


@contextmanager
def running(program: Program, folder: Path, *words: str) -> Iterator[Path]:
    """A command that runs on; the file with what it says."""
    log = folder / f"{words[0]}.log"
    with log.open("w") as out:
        child = subprocess.Popen(
            program.command(*words),
            cwd=program.directory,
            env=program.environment(),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )
    try:
        yield log
    finally:
        child.send_signal(signal.SIGTERM)
        assert child.wait(patient(60)) == 0, log.read_text()


def told(log: Path) -> list[str]:
    """What each line is about; of one that is no record, the line."""
    found = []
    for line in log.read_text().splitlines():
        one = json.loads(line) if line.startswith("{") else {"event": line}
        found.append(str(one.get("cause", one["event"])))
    return found


def alarms(log: Path) -> int:
    return told(log).count("queue_unreachable")


@pytest.mark.timeout(240)
def test_an_outage_of_the_queue_is_one_alarm_of_each_process(
    tmp_path: Path, queue: Queue, sandbox_process: SandboxProcess, sandbox_clock: Path
) -> None:
    reset(sandbox_process.url)
    sandbox_clock.write_text(NOW)
    env = {
        "REDIS_URL": queue.url,
        "VIGENCIA_SANDBOX__URL": sandbox_process.url,
        "VIGENCIA_CLOCK_FILE": str(sandbox_clock),
        "VIGENCIA_SCHEDULER__TICK_SECONDS": "0.2",
        "VIGENCIA_LOG_FORMAT": "json",
    }
    program = Program(tmp_path, env)

    def bring(number: str, *arguments: str) -> None:
        (tmp_path / "cards.csv").write_text(BOOK.format(number=number), "utf-8")
        words = ("cards", "import", "cards.csv", "--book", "lima", "--apply", *arguments)
        ran = program.run(*words)
        assert ran.code == 0, ran.told

    def arrived(number: str) -> bool:
        found = call(sandbox_process.url, "GET", "/sandbox/mailbox").json
        return f"+51{number}" in found["sms"] and f"{number}@example.com" in found["email"]

    assert program.run("db", "upgrade").code == 0
    with ExitStack() as stack:
        scheduler, worker, web = (
            stack.enter_context(running(program, tmp_path, *words))
            for words in (
                ("scheduler",),
                ("worker", "--processes", str(PROCESSES)),
                ("web", "--port", "0"),
            )
        )
        bring("987654321", "--new-book")
        assert until(lambda: arrived("987654321"), 90)
        assert alarms(scheduler) == alarms(worker) == alarms(web) == 0
        queue.kill()
        bring("987654322")
        away = until(lambda: alarms(scheduler) and alarms(worker) == PROCESSES, 60)
        time.sleep(3)  # some ten lines a second, if nothing kept them back
        queue.start()
        back = until(lambda: arrived("987654322"), 90)
    assert (away, back) == (True, True)
    words = {"queue_unreachable", "queue_reachable"}
    assert set(told(scheduler)) == {"scheduler_started", "tick", *words}
    assert {word: told(scheduler).count(word) for word in words} == dict.fromkeys(words, 1)
    assert set(told(worker)) <= words
    assert alarms(worker) == PROCESSES
    assert "queue" not in "".join(told(web)), "it needs none to take what comes in"
