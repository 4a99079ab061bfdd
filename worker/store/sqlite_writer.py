"""Turns at SQLite's one place for a writer: those who wait go on as soon as it is free."""

import threading
import time
from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import OperationalError

# Seconds until a writer gives up, and between two looks. SQLite's own waiting grows to 0.1 s
# between looks, longer than most of our transactions take: a third of the time nobody wrote.
PATIENCE = 30.0
_PAUSE = 0.001
# The execution option of a transaction that must outlast a power cut.
DURABLE = "vigencia_durable"


def take_turns(engine: Engine, read: str) -> None:
    """Begin the transactions of a SQLite ``engine``: those of connections with the execution option
    ``read`` wait for nobody. Of each process one writer at a time asks for its turn.

    Who waits longer than ``PATIENCE`` gets the driver's own "database is locked".
    """
    mine = threading.Lock()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        if connection.get_execution_options().get(read):
            connection.exec_driver_sql("BEGIN")
            return
        give_up = time.monotonic() + PATIENCE
        waited = mine.acquire(timeout=PATIENCE)
        try:
            _begin_to_write(connection, give_up)
        except BaseException:
            if waited:
                mine.release()
            raise
        connection.info["turn"] = waited

    @event.listens_for(engine, "commit")
    @event.listens_for(engine, "rollback")
    def _over(connection: Connection) -> None:
        if connection.info.pop("turn", False):
            mine.release()


def _begin_to_write(connection: Connection, give_up: float) -> None:
    # A deferred BEGIN that reads and then writes loses updates between processes silently.
    driver: Any = connection.connection.driver_connection
    driver.execute("PRAGMA busy_timeout = 0")
    # NORMAL leaves it to the system when the log is written to the disk, FULL waits for that with
    # the commit (www.sqlite.org/pragma.html#pragma_synchronous). It holds from before BEGIN on.
    durable = connection.get_execution_options().get(DURABLE, False)
    driver.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
    try:
        while True:
            try:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            except OperationalError as error:
                if "is locked" not in str(error.orig) or time.monotonic() > give_up:
                    raise
                time.sleep(_PAUSE)
            else:
                return
    finally:
        driver.execute(f"PRAGMA busy_timeout = {PATIENCE * 1000:.0f}")
