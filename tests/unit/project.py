"""What the tests of the files around the code share: the files, the commands, the settings."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import get_args

import click
from pydantic import BaseModel, SecretStr

from worker.cli import cli
from worker.setup.settings import Settings

ROOT = Path(__file__).parents[2]


def text(path: str) -> str:
    return (ROOT / path).read_text("utf-8")


def parse_command(words: Iterable[str]) -> click.Context:
    """Parse what follows ``vigencia`` as the command line would, down to the command's own options;
    nothing is run."""
    command: click.Command = cli
    context = click.Context(cli, info_name="vigencia")
    rest = list(words)
    while isinstance(command, click.Group):
        name, found, rest = command.resolve_command(context, rest)
        assert found is not None
        command = found
        if isinstance(command, click.Group):
            context = click.Context(command, parent=context, info_name=name)
    return command.make_context(command.name, rest, parent=context)


def settings() -> list[tuple[str, str, object]]:
    """Every setting: its name in the file, in the environment, and its default."""
    found: list[tuple[str, str, object]] = []
    for name, info in Settings.model_fields.items():
        if isinstance(info.default, BaseModel):
            found += [
                (f"{name}.{field}", f"VIGENCIA_{name}__{field}".upper(), value)
                for field, value in info.default
            ]
        else:
            env = name if info.validation_alias else f"VIGENCIA_{name}"
            found.append((name, env.upper(), info.default))
    return found


def secrets() -> set[str]:
    """The settings that nobody but the program may read, by their names in the file."""
    return {
        name
        for name, info in Settings.model_fields.items()
        if SecretStr in (info.annotation, *get_args(info.annotation))
    }


def rows(path: str) -> Iterator[list[str]]:
    """The rows of all tables of a document, as cells."""
    for line in text(path).splitlines():
        if line.startswith("|") and not line.startswith("|-"):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def procfile() -> dict[str, str]:
    return dict(line.split(": ", 1) for line in text("Procfile").splitlines() if line)
