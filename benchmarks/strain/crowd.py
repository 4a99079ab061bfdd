"""Others who take every connection that a PostgreSQL has."""

import time
from typing import Any

import psycopg


class Crowd:
    """Connections that do nothing but be there."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._all: list[Any] = []

    def __enter__(self) -> "Crowd":
        return self

    def __exit__(self, *_: object) -> None:
        for one in self._all:
            one.close()

    def take_all(self) -> int:
        """Take what is free, end those of all others, and take these too; returns how many these
        were."""
        self._take()
        found = others = self._others()
        while others:
            for pid in others:
                self._all[0].execute("SELECT pg_terminate_backend(%s)", [pid])
            time.sleep(0.05)
            self._take()
            others = self._others()
        return len(found)

    def _others(self) -> list[int]:
        own = {one.info.backend_pid for one in self._all}
        query = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend'"
        return [pid for (pid,) in self._all[0].execute(query).fetchall() if pid not in own]

    def _take(self) -> None:
        while True:
            try:
                self._all.append(psycopg.connect(self._url, autocommit=True, connect_timeout=5))
            except psycopg.OperationalError:
                return
