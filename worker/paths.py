"""Where the files that come with the program are, and how its TOML files are read."""

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from worker.errors import ConfigError

_PACKAGE = Path(__file__).resolve().parent
_HEADER = re.compile(r"\s*\[+([^\[\]]+)\]")
_SETTING = re.compile(r'\s*(?P<name>(?:"[^"]*"|[\w.-]+)+)\s*=\s*(?:"(?P<value>[^"]*)")?')
_NAME = re.compile(r'(?<=")[^".]+(?=")|[\w-]+')


def shipped(name: str) -> Path:
    """The directory ``config``, ``templates`` or ``examples`` that belongs to this program: in a
    checkout beside the package, in an installed wheel inside it."""
    installed = _PACKAGE / "data" / name
    return installed if installed.is_dir() else _PACKAGE.parent / name


def config_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """``VIGENCIA_CONFIG_DIR``, else ``./config`` with a vigencia.toml in it, else the shipped."""
    if chosen := environ.get("VIGENCIA_CONFIG_DIR"):
        return Path(chosen)
    local = Path("config")
    return local if (local / "vigencia.toml").is_file() else shipped("config")


def templates_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """``VIGENCIA_TEMPLATES_DIR``, else the shipped templates."""
    chosen = environ.get("VIGENCIA_TEMPLATES_DIR")
    return Path(chosen) if chosen else shipped("templates")


def private_folder(path: Path) -> None:
    """Make ``path``, and what leads there, for its owner alone; what is there stays as it is."""
    for folder in (*reversed(path.parents), path):
        if not folder.exists():
            folder.mkdir(mode=0o700, exist_ok=True)


def private_file(path: Path) -> Path:
    """Make an empty file for its owner alone, unless it is there already; ``path`` itself."""
    if not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    return path


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file as a dict. Raises ``ConfigError`` that names the file, and the line if broken."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        hint = "Create it, or unset VIGENCIA_CONFIG_DIR to use the one that comes with Vigencia."
        raise ConfigError(f"There is no configuration file {path}", hint) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}", "Check the file.") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}", "Correct that line.") from None
    except (RecursionError, ValueError):  # of Python itself: too deep, or a number without end
        raise ConfigError(
            f"{path} is not valid TOML: it is too deep, or a number is too long",
            "Write it as the file that comes with Vigencia is written.",
        ) from None


def line_of(file: Path, key: str) -> int:
    """The line of ``file`` at which ``key`` (such as ``contact.hotline.source``) is set, else that
    of the table it is missing in, or 0. One table of several with a name is known by a value in it
    (``route.+51.languages``)."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return 0
    wanted, table = key.split("."), list[str]()
    best = number = 0
    for n, line in enumerate(lines, 1):
        here = table
        if header := _HEADER.match(line):
            here = table = _NAME.findall(header[1])
        elif setting := _SETTING.match(line):
            if setting["value"] in wanted:
                here = table = [*table, setting["value"]]
            else:
                here = [*table, *_NAME.findall(setting["name"])]
        if len(here) > best and here == wanted[: len(here)]:
            best, number = len(here), n
    return number


def place(file: Path, problem: str) -> str:
    """``problem`` (``key: what is wrong``) with its file and, where the key is found, its line."""
    line = line_of(file, problem.partition(": ")[0])
    return f"{file}, line {line}: {problem}" if line else f"{file}: {problem}"
