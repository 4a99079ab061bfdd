"""`make` installs into .venv: with a Python that will do, for this folder, once, and with words.

What installs is a stand-in for uv here, since tests have no network; the environments are real.
"""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_LEVELS = ("demo", "dev", "bench")

_UV = """#!/bin/sh
echo "$*" >>"$UV_CALLS"
case $1 in
venv) exec {python} -m venv --without-pip .venv ;;
esac
[ ! -e no-network ] || { echo "cannot reach the index"; exit 2; }
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A checkout, as far as installing needs it, and beside it a folder for the PATH."""
    tree, path = tmp_path / "tree", tmp_path / "bin"
    path.mkdir()
    (tree / ".ci").mkdir(parents=True)
    shutil.copy(ROOT / ".ci" / "install", tree / ".ci")
    shutil.copy(ROOT / "Makefile", tree)
    shutil.copy(ROOT / "pyproject.toml", tree)
    for level in _LEVELS:
        (tree / f"requirements-{level}.lock").write_text(f"{level}-tools==1.0\nuv==1.0\n")
    for name in ("sh", "sed", "cksum", "grep", "cat", "rm", "mkdir", "sleep", "tail", "dirname"):
        found = shutil.which(name)
        assert found
        (path / name).symlink_to(found)
    _program(path / "uv", _UV.replace("{python}", shlex.quote(sys.executable)))
    return tree


def _program(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


def _old(path: Path) -> Path:
    """What Python 3.10 would say of itself."""
    return _program(path, "#!/bin/sh\necho 3.10.13 /opt/python3.10\n")


def _install(tree: Path, level: str = "demo", **env: str) -> subprocess.CompletedProcess[str]:
    (tree.parent / "calls").touch()
    path = tree.parent / "bin"
    return subprocess.run(
        ["/bin/sh", ".ci/install", level],
        cwd=tree,
        env={"PATH": str(path), "UV_CALLS": str(tree.parent / "calls"), **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def _calls(tree: Path) -> list[str]:
    """What uv was asked for since the last time."""
    calls = tree.parent / "calls"
    found = calls.read_text().splitlines()
    calls.write_text("")
    return found


def _version() -> str:
    return ".".join(map(str, sys.version_info[:3]))


def test_a_python_that_will_not_do_is_told_before_anything_is_made(tree: Path) -> None:
    old = _old(tree.parent / "bin" / "python3.10")
    (tree.parent / "bin" / "python3").symlink_to(sys.executable)
    ran = _install(tree, PYTHON=old.name)
    assert ran.returncode != 0
    assert ran.stderr.splitlines() == [
        "Vigencia needs Python 3.11, 3.12 or 3.13, and PYTHON=python3.10 is 3.10.13. "
        "Choose another: make demo PYTHON=python3"
    ]
    assert not (tree / ".venv").exists()
    assert not _calls(tree)


def test_a_python_that_is_not_there_is_told(tree: Path) -> None:
    ran = _install(tree, PYTHON="python3.12")
    assert ran.returncode != 0
    assert "PYTHON=python3.12 cannot be run" in ran.stderr
    ran = _install(tree)
    assert ran.returncode != 0
    assert "there is no python3 on the PATH" in ran.stderr
    assert "make demo PYTHON=/path/to/python3.12" in ran.stderr


def test_where_python3_is_too_old_another_one_on_the_path_is_taken(tree: Path) -> None:
    _old(tree.parent / "bin" / "python3")
    assert "python3 is 3.10.13" in _install(tree).stderr
    _program(tree.parent / "bin" / "python3.12", f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    ran = _install(tree)
    assert ran.returncode == 0, ran.stderr
    assert f"Making .venv with Python {_version()}" in ran.stderr


def test_what_was_installed_is_not_installed_again(tree: Path) -> None:
    ran = _install(tree, PYTHON=sys.executable)
    assert ran.returncode == 0, ran.stderr
    assert "Installing 2 packages into .venv" in ran.stderr
    assert any("requirements-demo.lock" in call for call in _calls(tree))
    for _ in range(2):
        again = _install(tree)
        assert (again.returncode, again.stderr, _calls(tree)) == (0, "", [])
    more = _install(tree, "dev")
    assert "Installing" in more.stderr
    assert "Making" not in more.stderr
    assert any("requirements-dev.lock" in call for call in _calls(tree))
    less = _install(tree)
    assert (less.stderr, _calls(tree)) == ("", []), "the tools for the tests hold the demo's"
    (tree / "requirements-dev.lock").write_text("dev-tools==2.0\n")
    assert "Installing 1 packages" in _install(tree, "dev").stderr


def test_an_environment_of_another_python_is_made_anew(tree: Path) -> None:
    assert _install(tree, PYTHON=sys.executable).returncode == 0
    made = tree / ".venv" / ".made"
    made.write_text(f"3.10.13 /opt/python3.10\n{tree}\n")
    _calls(tree)
    ran = _install(tree, PYTHON=sys.executable)
    assert ran.returncode == 0, ran.stderr
    assert "The .venv belongs to Python 3.10.13: it is made anew." in ran.stderr
    assert made.read_text().startswith(_version())
    assert any("requirements-demo.lock" in call for call in _calls(tree))


def test_an_environment_that_was_moved_is_made_anew(tree: Path) -> None:
    assert _install(tree, PYTHON=sys.executable).returncode == 0
    moved = tree.rename(tree.parent / "moved")
    (tree.parent / "bin" / "python3").symlink_to(sys.executable)
    ran = _install(moved)
    assert ran.returncode == 0, ran.stderr
    assert "The .venv was made for another folder: it is made anew." in ran.stderr
    assert str(moved) in (moved / ".venv" / "pyvenv.cfg").read_text()


def test_a_failure_shows_what_was_said_and_the_next_run_tries_again(tree: Path) -> None:
    assert _install(tree, PYTHON=sys.executable).returncode == 0
    (tree / "no-network").touch()
    (tree / "requirements-demo.lock").write_text("demo-tools==2.0\n")
    python = tree / ".venv" / "bin" / "python"
    python.unlink()
    real = shlex.quote(sys.executable)
    _program(
        python, f'#!/bin/sh\n[ "$1" != -m ] || {{ echo "no $2 here"; exit 1; }}\nexec {real} "$@"\n'
    )
    for _ in range(2):
        ran = _install(tree)
        assert ran.returncode != 0
        assert "cannot reach the index" in ran.stderr
        assert "no ensurepip here" in ran.stderr, "pip is tried where uv fails"
        assert ".venv/install.log" in ran.stderr


def test_make_demo_stops_at_a_python_that_will_not_do(tree: Path) -> None:
    old = _old(tree.parent / "bin" / "python3.10")
    make = shutil.which("make")
    if make is None:
        pytest.skip("needs make")
    env = {"PATH": os.pathsep.join([str(tree.parent / "bin"), os.environ["PATH"]])}
    ran = subprocess.run(
        [make, "demo", f"PYTHON={old}"],
        cwd=tree,
        env=env,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ran.returncode != 0
    assert ran.stderr.startswith("Vigencia needs Python 3.11, 3.12 or 3.13, and PYTHON=")
    assert " is 3.10.13. Choose another: make demo PYTHON=" in ran.stderr
    assert ran.stdout == ""
    assert not (tree / ".venv").exists()
