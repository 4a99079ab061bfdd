"""Jobs: asked for at a door, worked by one worker at a time, ended with a result or an error."""

import asyncio
import io
import threading
import time
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import gettempdir
from typing import Any
from uuid import uuid4

import openpyxl
import pytest
from dramatiq import Worker
from sqlalchemy import update

from tests.integration.helpers import NOW, TODAY, World
from tests.patience import patient
from worker.cardbook.options import ReadOptions
from worker.core.jobs import LEASE, MOST_AT_ONCE, MOST_STARTS, JobKind, JobProgress, JobState
from worker.core.viewer import Role, Viewer
from worker.errors import VigenciaError
from worker.paths import config_dir
from worker.processes.actors import Hints
from worker.processes.jobs.work import work
from worker.processes.once import run_once
from worker.setup.app import App
from worker.setup.broker import hint_job, open_broker
from worker.store import jobs as job_store
from worker.store.engine import reading, writing
from worker.store.removal import close_book
from worker.store.tables import books, cards, holders, jobs

LATER = NOW + LEASE + timedelta(seconds=1)
HEAD = "msisdn,expires,email,language,operator,kind,holder\n"
ROSA = "987654321,2026-12-13,rosa@example.com,es-PE,claro,data,Rosa\n"
AMY = "987654322,2026-12-20,amy@example.com,en,claro,data,Amy\n"
WRONG = "987654323,soon,leo@example.com,en,claro,data,Leo\n"
READ = {**asdict(ReadOptions()), "columns": []}
del READ["language"]


@pytest.fixture
def app(world: World) -> App:
    """The real app on the world's database."""
    return world.app(lambda: NOW)


def ask(world: World, kind: JobKind = JobKind.FORECAST, **how: Any) -> int:
    values: dict[str, Any] = {"book_id": None, "by": "amy", "options": {}, "now": NOW}
    with writing(world.engine) as conn:
        return job_store.ask(conn, kind, **{**values, **how})


def asked(world: World, text: str, kind: JobKind = JobKind.PREVIEW, **options: Any) -> int:
    wanted = {"book": "travel", "new_book": True, "file": "June.csv", "read": READ, "values": {}}
    return ask(world, kind, options={**wanted, **options}, input_=text.encode())


def row(world: World, job: int) -> Any:
    return next(one for one in world.rows(jobs) if one.id == job)


def previewed(app: App, world: World, text: str) -> Any:
    job = asked(world, text)
    assert work(app, job), row(world, job).error
    return row(world, job).result


def take(world: World, job: int, now: datetime = NOW) -> job_store.Job | None:
    with writing(world.engine) as conn:
        return job_store.take(conn, job, now)


def due(world: World, now: datetime) -> list[int]:
    with writing(world.engine) as conn:
        return job_store.due(conn, now, 10)


def finish(world: World, job: job_store.Job, **result: Any) -> bool:
    with writing(world.engine) as conn:
        return job_store.finish(conn, job, result, NOW)


def test_a_job_is_told_once_and_taken_by_one_worker(world: World) -> None:
    job = ask(world)
    assert due(world, NOW) == [job]
    assert due(world, NOW) == [], "the hint is on its way"
    taken: list[job_store.Job | None] = []
    threads = [threading.Thread(target=lambda: taken.append(take(world, job))) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    [mine] = [one for one in taken if one is not None]
    assert due(world, NOW + LEASE / 2) == []
    assert finish(world, mine, notices=3)
    ended = row(world, job)
    assert (ended.state, ended.result, ended.wake_at) == (JobState.DONE, {"notices": 3}, None)


def test_the_job_of_a_lost_worker_is_given_to_another_who_alone_ends_it(world: World) -> None:
    job = ask(world)
    first = take(world, job)
    assert first is not None
    assert due(world, LATER) == [job]
    second = take(world, job, LATER)
    assert second is not None
    with writing(world.engine) as conn:
        assert not job_store.go_on(conn, first, JobProgress(1, 2), LATER)
    assert not finish(world, first)
    assert finish(world, second)


def test_a_worker_that_says_it_lives_keeps_its_job(world: World) -> None:
    job = ask(world)
    mine = take(world, job)
    assert mine is not None
    with writing(world.engine) as conn:
        assert job_store.go_on(conn, mine, JobProgress(1, 3, "writing"), NOW + LEASE / 2)
    assert due(world, LATER) == []
    assert (row(world, job).done, row(world, job).total, row(world, job).step) == (1, 3, "writing")


def test_a_job_that_takes_its_workers_along_fails_with_a_word(world: World) -> None:
    job, now = ask(world), NOW
    for _ in range(MOST_STARTS):
        assert take(world, job, now) is not None
        now += LEASE + timedelta(seconds=1)
        assert due(world, now) == [job]
    assert take(world, job, now) is None
    assert row(world, job).state == JobState.FAILED
    assert "lost" in row(world, job).error["message"]


def test_a_book_has_a_few_jobs_at_once(world: World) -> None:
    mine = [ask(world, book_id=1) for _ in range(MOST_AT_ONCE)]
    with pytest.raises(VigenciaError, match="under way"):
        ask(world, book_id=1)
    assert ask(world, book_id=2)
    done = take(world, mine[0])
    assert done is not None
    assert finish(world, done)
    assert ask(world, book_id=1)


def test_a_job_is_seen_by_those_who_see_its_book(world: World) -> None:
    mine, new = ask(world, book_id=1, input_=b"book"), ask(world)
    amy, leo = Viewer("amy", {1: Role.VIEWER}), Viewer("leo", {1: Role.VIEWER})
    other = Viewer("eva", {2: Role.ADMIN})
    with reading(world.engine) as conn:
        seen = {v.name: [j.id for j in job_store.latest(conn, v, [*JobKind])] for v in (amy, leo)}
        assert seen == {"amy": [new, mine], "leo": [mine]}
        assert job_store.latest(conn, other, [*JobKind]) == []
        assert job_store.show(conn, other, mine) is None
        assert job_store.file_of(conn, leo, mine, sent=True) == b"book"
        assert job_store.file_of(conn, other, mine, sent=True) is None


def test_what_came_of_a_job_is_erased_in_its_time(world: World) -> None:
    job = ask(world, JobKind.IMPORT)
    mine = take(world, job)
    assert mine is not None
    assert finish(world, mine)
    with writing(world.engine) as conn:
        assert job_store.erase(conn, NOW + timedelta(hours=23), 10) == 0
        assert job_store.erase(conn, NOW + timedelta(hours=25), 10) == 1


def test_a_preview_says_what_would_change_and_writes_nothing(app: App, world: World) -> None:
    result = previewed(app, world, HEAD + ROSA + WRONG)
    assert (result["created"], result["refused"], result["applied"]) == (1, 1, False)
    assert (world.rows(books), world.rows(cards)) == ([], [])
    [refused] = result["rows"]["refused"]
    assert refused["row"] == 3
    assert refused["cells"][1] == "soon"
    assert refused["problems"][0]["column"]
    kept = row(world, 1)
    assert (kept.output_name, result["file"]) == ("June.refused.xlsx", "June.csv")
    [sheet] = openpyxl.load_workbook(io.BytesIO(kept.output)).worksheets
    assert "987654323" in str([[cell.value for cell in line] for line in sheet.rows])


def test_an_import_writes_what_its_preview_has_shown(app: App, world: World) -> None:
    digest = previewed(app, world, HEAD + ROSA + WRONG)["digest"]
    strict = asked(world, HEAD + ROSA + WRONG, JobKind.IMPORT, previewed=digest, skip_bad=False)
    work(app, strict)
    assert (row(world, strict).result["applied"], world.rows(cards)) == (False, [])
    job = asked(world, HEAD + ROSA + WRONG, JobKind.IMPORT, previewed=digest, skip_bad=True)
    assert work(app, job)
    assert row(world, job).result["applied"]
    assert [card.msisdn for card in world.rows(cards)] == ["+51987654321"]
    assert row(world, job).output


def test_an_import_that_would_do_something_else_by_now_writes_nothing(
    app: App, world: World
) -> None:
    digest = previewed(app, world, HEAD + ROSA + AMY)["digest"]
    first = asked(world, HEAD + ROSA, JobKind.IMPORT, skip_bad=False,
                  previewed=previewed(app, world, HEAD + ROSA)["digest"])  # fmt: skip
    assert work(app, first)
    stale = asked(world, HEAD + ROSA + AMY, JobKind.IMPORT, previewed=digest, skip_bad=False)
    assert not work(app, stale)
    assert row(world, stale).error["code"] == "stale_preview"
    assert len(world.rows(cards)) == 1
    again = previewed(app, world, HEAD + ROSA + AMY)
    assert (again["created"], again["unchanged"]) == (1, 1)


def test_the_same_file_gives_the_same_digest_and_another_value_another(
    app: App, world: World
) -> None:
    first = previewed(app, world, HEAD + ROSA)["digest"]
    assert previewed(app, world, HEAD + ROSA)["digest"] == first
    assert previewed(app, world, HEAD + ROSA.replace("Rosa", "Rosalía"))["digest"] != first


def test_an_import_whose_worker_was_thought_lost_takes_back_what_it_wrote(
    app: App, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = previewed(app, world, HEAD + ROSA)["digest"]
    job = asked(world, HEAD + ROSA, JobKind.IMPORT, previewed=digest, skip_bad=False)
    own = job_store.take

    def taken_twice(*args: Any) -> Any:
        """Taken, and a moment later by somebody else, as if this worker had been frozen."""
        mine = own(*args)
        args[0].execute(update(jobs).where(jobs.c.id == job).values(lease=uuid4()))
        return mine

    # A process that is frozen at one place cannot be had otherwise without waiting for its lease.
    monkeypatch.setattr(job_store, "take", taken_twice)
    assert not work(app, job)
    assert (world.rows(cards), world.rows(holders), world.rows(books)) == ([], [], [])
    assert row(world, job).state == JobState.RUNNING, "the other has it"


def test_a_file_that_cannot_be_read_is_told_in_the_job(app: App, world: World) -> None:
    job = asked(world, "nothing of a card\n1\n")
    assert not work(app, job)
    failed = row(world, job)
    assert (failed.state, failed.error["code"]) == (JobState.FAILED, "cardbook")
    assert failed.error["hint"]


def test_a_forecast_tells_what_a_changed_policy_would_do(app: App, world: World) -> None:
    world.card(plan_end=TODAY + timedelta(days=20))
    text = (config_dir() / "policies.toml").read_text(encoding="utf-8")
    days = {"from": TODAY.isoformat(), "to": (TODAY + timedelta(days=25)).isoformat()}
    same = ask(world, options={**days, "book": None, "policy": None})
    assert work(app, same), row(world, same).error
    assert row(world, same).result["totals"]["by_channel"]["sms"]["messages"] > 0
    both = ask(world, options={**days, "book": "demo", "policy": text})
    assert work(app, both)
    assert row(world, both).result["different"] == [0, 0]
    wrong = ask(world, options={**days, "book": None, "policy": "[data]\nplan_end = 7\n"})
    assert not work(app, wrong)
    assert row(world, wrong).error["code"] == "config"
    assert gettempdir() not in row(world, wrong).error["message"]


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "policy", ["a = " + "[" * 9_999, "a = " + "1" * 9_999], ids=["deep", "long"]
)
def test_a_policy_that_python_gives_up_on_is_told(app: App, world: World, policy: str) -> None:
    days = {"from": TODAY.isoformat(), "to": TODAY.isoformat()}
    job = ask(world, options={**days, "book": None, "policy": policy})
    assert not work(app, job)
    assert row(world, job).error["code"] == "config"
    assert row(world, job).error["message"].startswith("policies.toml is not valid TOML: ")


def test_a_name_of_a_file_is_never_a_path(app: App, world: World, tmp_path: Path) -> None:
    job = asked(world, HEAD + ROSA, file=f"{tmp_path}/../../evil.csv")
    assert work(app, job)
    assert not list(tmp_path.glob("*.csv"))


def test_a_worker_has_a_job_worked_in_a_process_of_its_own(
    app: App, world: World, queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a door asks for it, through a real queue."""
    monkeypatch.setenv("DATABASE_URL", world.engine.url.render_as_string(hide_password=False))
    broker = open_broker(queue)
    hints = Hints(broker, app)
    job = asked(world, HEAD + ROSA)
    hint_job(broker, job)
    hints.work_jobs([job])
    worker = Worker(broker, worker_timeout=50, worker_threads=2)
    worker.start()
    try:
        deadline = time.monotonic() + patient(60)
        while row(world, job).state not in (JobState.DONE, JobState.FAILED):
            assert time.monotonic() < deadline
            time.sleep(0.1)
    finally:
        worker.stop(timeout=10_000)
    assert (row(world, job).state, row(world, job).starts) == (JobState.DONE, 1)


def test_a_tick_finds_a_job_of_which_no_worker_was_told(app: App, world: World) -> None:
    job = asked(world, HEAD + ROSA)
    asyncio.run(run_once(app, NOW))
    assert row(world, job).state == JobState.DONE


def test_the_jobs_of_a_book_go_with_it(world: World) -> None:
    book = world.book()
    ask(world, book_id=book, input_=b"book")
    with writing(world.engine) as conn:
        close_book(conn, book, NOW)
    assert world.rows(jobs) == []
