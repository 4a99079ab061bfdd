"""Template files: which there must be, how they are read, and how MJML becomes HTML."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from jinja2 import Environment, TemplateSyntaxError
from mjml import mjml2html

from worker.core.cards import Language
from worker.core.wording import ALL_EVENTS
from worker.errors import ConfigError

PARTS: Final = ("sms.txt", "subject.txt", "email.txt", "email.mjml")
SHARED: Final = "shared"

Sources = Mapping[str, str]


def template_name(event: str, language: Language, part: str) -> str:
    """Name a template by its path below the templates directory, ``/`` on every system."""
    return f"{event}/{language}/{part}.j2"


def read_sources(directory: Path) -> dict[str, str]:
    """Read all that messages are made of: ``{path below directory: source}``.

    Nothing is read after this, so that a template can include only what stood here at load.
    Raises ``ConfigError`` for a missing folder or file, one that is not UTF-8, and one that a
    link leads out of ``directory``.
    """
    root = directory.resolve()
    for folder in (SHARED, *ALL_EVENTS):
        if not (root / folder).is_dir():
            raise ConfigError(
                f"{directory / folder}: this folder of templates is missing",
                f"texts stand in <event>/<language>/; events are {', '.join(ALL_EVENTS)}",
            )
    shared = sorted(path.relative_to(root).as_posix() for path in (root / SHARED).rglob("*.j2"))
    required = [
        template_name(event, language, part)
        for event in ALL_EVENTS
        for language in Language
        for part in PARTS
    ]
    return {name: _read(root, name) for name in (*shared, *required)}


def compile_mjml(sources: Sources, syntax: Environment) -> dict[str, str]:
    """Turn every whole MJML document into HTML, its Jinja tags untouched; the rest stays.

    A file that only fills blocks of a layout is HTML already, since the layout's own MJML is
    gone by the time a block is put in. ``syntax`` checks the Jinja before MJML moves its lines.
    """
    return {
        name: _to_html(name, source, syntax) if name.endswith(".mjml.j2") else source
        for name, source in sources.items()
    }


def _read(root: Path, name: str) -> str:
    path = root / name
    if not path.resolve().is_relative_to(root):
        raise ConfigError(f"{name}: leads out of the templates directory", "put a real file there")
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(
            f"{name}: this template is missing",
            f"every language of an event needs {', '.join(f'{part}.j2' for part in PARTS)}",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{name}: cannot be read: {error}", "save it as UTF-8 text") from None


def _to_html(name: str, source: str, syntax: Environment) -> str:
    try:
        syntax.parse(source, name, name)
    except TemplateSyntaxError as error:
        raise ConfigError(f"{name}, line {error.lineno}: {error.message}") from None
    if "<mjml" not in source:
        if "<mj-" in source:
            raise ConfigError(
                f"{name}: has MJML tags but is no whole <mjml> document",
                "fill blocks of the layout with plain HTML, or write the whole document",
            )
        return source
    try:
        # No fonts: by default a style sheet of Google Fonts is linked for some font names, and
        # every reader's client would tell a third party that the letter was opened.
        return mjml2html(source, disable_comments=True, fonts={})
    except ValueError as error:
        raise ConfigError(
            f"{name}: is not valid MJML: {error}",
            "a < inside a Jinja tag is a usual reason: write a test such as 'is lt 3' instead",
        ) from None
