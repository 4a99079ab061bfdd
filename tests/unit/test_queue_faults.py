"""A queue server that is away is told once a minute, and nothing else is kept back."""

import logging
from typing import Any

import pytest
import redis
from structlog.testing import capture_logs

from worker.processes.queue_faults import Outage, QueueFaults


def record(name: str, text: str, error: BaseException | None = None) -> logging.LogRecord:
    info: Any = (type(error), error, None) if error else None
    return logging.LogRecord(name, logging.CRITICAL, "x.py", 1, text, (), info)


@pytest.mark.parametrize(
    "error",
    [
        redis.ConnectionError("no"),
        redis.ReadOnlyError("no"),
        redis.exceptions.ResponseError("OOM"),
        ConnectionResetError(),
        None,
    ],
)
def test_a_flood_of_queue_faults_is_one_alarm(error: BaseException | None) -> None:
    own = QueueFaults(Outage())
    line = record("dramatiq.worker.C", "Consumer encountered a connection error: x", error)
    with capture_logs() as logs:
        assert [own.filter(line) for _ in range(500)] == [False] * 500
    assert [(one["event"], one["cause"]) for one in logs] == [("alarm", "queue_unreachable")]


def test_what_a_queue_fault_caused_is_known_by_its_cause() -> None:
    error = RuntimeError()
    error.__cause__ = redis.ConnectionError()
    assert not QueueFaults(Outage()).filter(record("dramatiq.worker.W", "Failed", error))


@pytest.mark.parametrize(
    "line",
    [
        record("dramatiq.worker.W", "Failed to process message", ValueError("a bug")),
        record("worker.pipeline.check", "connection error", redis.ConnectionError()),
    ],
)
def test_bugs_and_the_lines_of_others_go_through(line: logging.LogRecord) -> None:
    assert QueueFaults(Outage()).filter(line)


def test_a_message_that_waits_for_the_queue_is_no_line_of_its_own() -> None:
    line = record(
        "dramatiq.worker.W", "Failed to post_process_message(x) due to a connection error: y"
    )
    line.levelno = logging.WARNING
    with capture_logs() as logs:
        assert not QueueFaults(Outage()).filter(line)
    assert len(logs) == 1


def test_an_outage_is_told_at_its_beginning_each_minute_and_at_its_end() -> None:
    now = [0.0]
    outage = Outage(lambda: now[0])
    outage.over()
    with capture_logs() as logs:
        for second in range(130):
            now[0] = float(second)
            outage.met(error="ConnectionError")
        outage.over()
        outage.over()
        outage.met(error="ConnectionError")
    told = ["alarm", "alarm", "alarm", "queue_reachable", "alarm"]
    assert [one["event"] for one in logs] == told
