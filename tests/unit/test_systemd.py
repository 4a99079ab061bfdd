"""examples/systemd/: each unit runs a command that exists, is confined, has its secrets from files,
and systemd itself finds nothing wrong."""

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.patience import patient
from tests.unit.project import ROOT, parse_command, procfile, secrets, settings
from worker.setup.settings import Settings

FOLDER = ROOT / "examples" / "systemd"
SERVICES = sorted(path.name for path in FOLDER.glob("*.service"))
COMMON = FOLDER / "vigencia-.service.d" / "common.conf"
PROGRAM = "/opt/vigencia/bin/vigencia"

analyze = shutil.which("systemd-analyze")
needs_systemd = pytest.mark.skipif(analyze is None, reason="systemd-analyze is not installed")


def values(path: Path, section: str, key: str) -> list[str]:
    """What a unit says to ``key``, in order."""
    found, inside = [], ""
    for line in path.read_text("utf-8").splitlines():
        if line.startswith("["):
            inside = line.strip("[]")
        elif inside == section and line.partition("=")[0] == key:
            found.append(line.partition("=")[2])
    return found


def commands() -> dict[str, list[str]]:
    found = {}
    for name in SERVICES:
        [line] = values(FOLDER / name, "Service", "ExecStart")
        program, *found[name] = shlex.split(line)
        assert program == PROGRAM
    return found


def test_they_run_the_processes_of_the_procfile_or_all_in_one() -> None:
    ran = {tuple(words) for words in commands().values()}
    assert ran == {tuple(shlex.split(line)[1:]) for line in procfile().values()} | {("up",)}
    for words in ran:
        parse_command(words)


def test_what_holds_for_all_is_read_for_each() -> None:
    """A folder that ends in a dash is read for every unit that begins so (systemd.unit(5))."""
    assert all(name.startswith(COMMON.parent.name.removesuffix(".service.d")) for name in SERVICES)
    assert values(COMMON, "Service", "User") == ["vigencia"]
    assert values(COMMON, "Service", "UMask") == ["0077"]
    assert values(COMMON, "Service", "KillMode") == ["mixed"]
    patience = Settings.model_fields["worker"].default.shutdown_seconds
    assert int(values(COMMON, "Service", "TimeoutStopSec")[0]) >= patience + 10
    for name in SERVICES:
        assert values(FOLDER / name, "Service", "MemoryMax")


def test_every_secret_comes_as_a_credential() -> None:
    loaded = dict(one.split(":") for one in values(COMMON, "Service", "LoadCredential"))
    assert loaded == {name: f"/etc/vigencia/secrets/{name}" for name in secrets()}
    told = dict(one.split("=") for one in values(COMMON, "Service", "Environment"))
    assert told == {f"{name}_FILE".upper(): f"%d/{name}" for name in secrets()}


def test_each_worker_of_a_machine_has_a_port_of_its_own() -> None:
    worker = FOLDER / "vigencia-worker@.service"
    assert values(worker, "Service", "Environment") == ["VIGENCIA_METRICS__WORKER_PORT=%i"]
    default = {name: value for name, _, value in settings()}["metrics.worker_port"]
    assert values(worker, "Install", "DefaultInstance") == [str(default)]


def test_they_start_and_stop_together_and_after_the_migration() -> None:
    several = [name for name in SERVICES if name != "vigencia-up.service"]
    for name in several:
        assert values(FOLDER / name, "Unit", "PartOf") == ["vigencia.target"]
        assert values(FOLDER / name, "Install", "WantedBy") == ["vigencia.target"]
        if name != "vigencia-migrate.service":
            assert values(FOLDER / name, "Unit", "After") == ["vigencia-migrate.service"]
    assert (FOLDER / "vigencia.target").is_file()
    assert values(FOLDER / "vigencia-up.service", "Unit", "Conflicts") == ["vigencia.target"]


@pytest.fixture(scope="module")
def units(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The units as they are installed, with the program where it is here."""
    folder = tmp_path_factory.mktemp("systemd")
    shutil.copytree(FOLDER, folder, dirs_exist_ok=True)
    here = Path(sys.executable).with_name("vigencia")
    for path in folder.glob("*.service"):
        path.write_text(path.read_text("utf-8").replace(PROGRAM, str(here)), "utf-8")
    return folder


def ask(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    assert analyze is not None
    command = [analyze, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=patient(60), check=False)


@needs_systemd
def test_systemd_finds_nothing_wrong_in_them(units: Path) -> None:
    asked = ask("verify", *(units / name for name in (*SERVICES, "vigencia.target")))
    assert (asked.returncode, asked.stdout, asked.stderr) == (0, "", "")
    (units / "vigencia-.service.d" / "zz.conf").write_text("[Service]\nUmask=0077\n")
    try:
        assert "'Umask' in section" in ask("verify", units / "vigencia-web.service").stderr
    finally:
        (units / "vigencia-.service.d" / "zz.conf").unlink()


@needs_systemd
@pytest.mark.parametrize("name", SERVICES)
def test_their_exposure_is_below_three(units: Path, name: str) -> None:
    asked = ask("security", "--offline=true", "--threshold=29", "--no-pager", units / name)
    assert asked.returncode == 0, asked.stdout[-200:] + asked.stderr
