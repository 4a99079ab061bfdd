"""Real servers for the tests, one of each a test process, and nothing beyond this machine."""

import ipaddress
import os
import secrets
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import chain, groupby
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import settings
from sqlalchemy import URL, make_url, text

from benchmarks.stage.postgresql import postgresql
from tests.patience import keep_compiled, patient, write_into_memory
from worker.errors import UnreachableError
from worker.processes.embedded import EmbeddedServer
from worker.processes.gc_tuning import look_rarely
from worker.sandbox.process import SandboxProcess
from worker.store.engine import open_engine

_OURS = ("TWILIO_", "VONAGE_", "SENDGRID_", "SMTP_", "VIGENCIA_", "DATABASE_", "REDIS_URL")
_OWN_SERVERS = [urlsplit(os.environ.get(name, "")).hostname for name in ("TEST_REDIS_URL",)]


def pytest_configure(config: pytest.Config) -> None:
    """What a person has configured here must not reach a test, nor a test the network."""
    write_into_memory()
    keep_compiled()
    look_rarely()
    config.pluginmanager.register(_Expectation())
    for name in list(os.environ):
        if name.startswith(_OURS):
            del os.environ[name]
    # How long an example takes is the machine's affair: a busy one must not fail a test.
    settings.register_profile("vigencia", deadline=None)
    settings.load_profile("vigencia")
    sys.addaudithook(_no_network)


class _Expectation:
    """Says at the start of a run with several processes how long it will take, by the last one."""

    def __init__(self) -> None:
        self._tests, self._began = 0, time.monotonic()

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: list[str]) -> None:
        if self._tests:
            return
        self._tests = len(ids)
        seconds, tests = node.config.cache.get("vigencia/last-run", [0, 0])
        usual = "10 to 15 minutes on two idle cores"
        if seconds and tests:
            usual = (
                f"about {max(1, round(seconds / 60 * self._tests / tests))} min, by the last run"
            )
        node.config.pluginmanager.get_plugin("terminalreporter").write_line(
            f"{self._tests} tests, {usual}; a dot is a test that passed."
        )

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        whole = session.config.args_source is pytest.Config.ArgsSource.TESTPATHS
        if self._tests and whole and exitstatus in (0, 1):
            lasted = time.monotonic() - self._began
            session.config.cache.set("vigencia/last-run", [lasted, self._tests])


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests of the whole program wait more than they compute: the longest of them first, the others
    among the modules of the integration tests, and what is quick last, so that the processors are
    busy to the end. Modules stay whole, for the sake of their fixtures."""
    long: list[pytest.Item] = []
    waiting: list[pytest.Item] = []
    computing: list[pytest.Item] = []
    quick: list[pytest.Item] = []
    for item in items:
        kind = item.path.parent.name
        if kind == "acceptance":
            (long if item.get_closest_marker("timeout") else waiting).append(item)
        else:
            (computing if kind == "integration" else quick).append(item)
    modules = [[*found] for _, found in groupby(computing, lambda item: item.path)]
    share = -(-len(waiting) // max(len(modules), 1))
    for number, module in enumerate(modules):
        module[:0] = waiting[number * share : (number + 1) * share]
    left = waiting[len(modules) * share :]
    for item in items:
        longest = item.get_closest_marker("timeout")
        seconds = longest.args[0] if longest else float(config.getini("timeout"))
        item.add_marker(pytest.mark.timeout(patient(seconds)), append=False)
    items[:] = [*long, *chain.from_iterable(modules), *left, *quick]


def pytest_collection_finish() -> None:
    """Of eleven thousand tests nothing is garbage: looking at them again and again was a fifth of
    the whole time."""
    look_rarely()


def _no_network(event: str, args: tuple[Any, ...]) -> None:
    if event != "socket.connect":
        return
    address = args[1]
    if isinstance(address, tuple) and not _is_here(str(address[0])):
        raise RuntimeError(f"a test tried to connect to {address[0]}")


def _is_here(host: str) -> bool:
    if host in ("localhost", *_OWN_SERVERS):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _missing(what: str, error: Exception) -> Any:
    """Skip where a server cannot run; where CI says that it must, fail."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} cannot be started: {error}")
    pytest.skip(f"{what} cannot be started: {error}")


def _number_of_this_process() -> int:
    return int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[URL]:
    """A PostgreSQL in which databases can be made; TEST_DATABASE_URL names one that runs."""
    if given := os.environ.get("TEST_DATABASE_URL"):
        yield make_url(given)
        return
    with tempfile.TemporaryDirectory(prefix="vigencia-pg-") as folder, ExitStack() as stack:
        try:
            server = stack.enter_context(postgresql(Path(folder, "data")))
        except Exception as error:  # no wheel for this system, or no right to start it
            _missing("PostgreSQL", error)
            return
        # What the planner knows of a table must not depend on when a cleaner came by.
        server.set({"fsync": "off", "autovacuum": "off"})
        yield make_url(server.url)


def _run(url: URL, *statements: str) -> None:
    engine = open_engine(url.render_as_string(hide_password=False))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


@pytest.fixture(scope="session")
def postgresql_database(postgresql_server: URL) -> Iterator[URL]:
    """An empty database for this test process."""
    yield from _new_database(postgresql_server)


@pytest.fixture
def empty_postgresql(postgresql_server: URL) -> Iterator[URL]:
    """An empty database for one test."""
    yield from _new_database(postgresql_server)


def _new_database(server: URL) -> Iterator[URL]:
    name = f"vigencia_test_{secrets.token_hex(6)}"
    _run(server, f"CREATE DATABASE {name}")
    yield server.set(database=name)
    _run(server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def queue_server() -> Iterator[str]:
    """A Valkey of this test process; TEST_REDIS_URL names one that runs (a database each)."""
    if given := os.environ.get("TEST_REDIS_URL"):
        parts = urlsplit(given)
        base = int(parts.path.strip("/") or 0)
        yield parts._replace(path=f"/{base + _number_of_this_process()}").geturl()
        return
    with tempfile.TemporaryDirectory(prefix="vigencia-queue-") as folder:
        try:
            server = EmbeddedServer(Path(folder))
            server.__enter__()
        except UnreachableError as error:
            _missing("Valkey", error)
            return
        yield server.url
        server.__exit__()


@pytest.fixture(scope="session")
def sandbox_clock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that tells the sandbox of this test process what time it is."""
    file = tmp_path_factory.mktemp("sandbox") / "now"
    file.write_text("2026-01-01T00:00:00+00:00")
    return file


@pytest.fixture(scope="session")
def sandbox_process(sandbox_clock: Path) -> Iterator[SandboxProcess]:
    """The sandbox of this test process; it stands at the time of ``sandbox_clock``."""
    with SandboxProcess(clock_file=sandbox_clock) as process:
        yield process


@pytest.fixture(scope="session")
def sandbox_in_real_time() -> Iterator[SandboxProcess]:
    """Another one, whose time is that of the machine."""
    with SandboxProcess() as process:
        yield process
