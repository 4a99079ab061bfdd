"""Template files: which there must be, how they are read, and how MJML becomes HTML."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from jinja2 import Environment, TemplateSyntaxError
from mjml import mjml2html

from worker.content.bounds import begin
from worker.content.errors import TemplateError
from worker.content.events import parts_of
from worker.core.cards import Language
from worker.core.wording import ALL_EVENTS

SHARED: Final = "shared"

Sources = Mapping[str, str]


def template_name(event: str, language: Language, part: str) -> str:
    """Name a template by its path below the templates directory, ``/`` on every system."""
    return f"{event}/{language}/{part}.j2"


def template_names() -> Iterator[str]:
    """Every template there must be."""
    for event in ALL_EVENTS:
        for language in Language:
            for part in parts_of(event):
                yield template_name(event, language, part)


def read_sources(directory: Path) -> tuple[dict[str, str], list[TemplateError]]:
    """Read all that messages are made of: ``{path below directory: source}``, and all errors.

    Nothing is read after this, so that a template can include only what stood here at load. An
    error is a missing folder or file, one that is not UTF-8, and one that a link leads out of
    ``directory``.
    """
    root = directory.resolve()
    errors = [
        TemplateError(
            str(directory / folder),
            None,
            "this folder of templates is missing",
            f"texts stand in <event>/<language>/; events are {', '.join(ALL_EVENTS)}",
        )
        for folder in (SHARED, *ALL_EVENTS)
        if not (root / folder).is_dir()
    ]
    names = sorted(path.relative_to(root).as_posix() for path in (root / SHARED).rglob("*.j2"))
    names += [name for name in template_names() if (root / name.split("/")[0]).is_dir()]
    return _each(names, lambda name: _read(root, name), errors), errors


def compile_mjml(
    sources: Sources, syntax: Environment
) -> tuple[dict[str, str], list[TemplateError]]:
    """Turn every whole MJML document into HTML, its Jinja tags untouched; the rest stays.

    A file that only fills blocks of a layout is HTML already, since the layout's own MJML is
    gone by the time a block is put in. ``syntax`` checks the Jinja before MJML moves its lines.
    """

    def convert(name: str) -> str:
        begin(name)
        source = sources[name]
        return _to_html(name, source, syntax) if name.endswith(".mjml.j2") else source

    errors: list[TemplateError] = []
    return _each(list(sources), convert, errors), errors


def _each(
    names: list[str], make: Callable[[str], str], errors: list[TemplateError]
) -> dict[str, str]:
    """``make`` for every name; what cannot be made goes to ``errors`` and is left out."""
    made: dict[str, str] = {}
    for name in names:
        try:
            made[name] = make(name)
        except TemplateError as error:
            errors.append(error)
    return made


def _read(root: Path, name: str) -> str:
    path = root / name
    if not path.resolve().is_relative_to(root):
        raise TemplateError(
            name, None, "leads out of the templates directory", "put a real file there"
        )
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        parts = ", ".join(f"{part}.j2" for part in parts_of(name.split("/")[0]))
        hint = f"every language of an event needs {parts}"
        raise TemplateError(name, None, "this template is missing", hint) from None
    except (OSError, UnicodeDecodeError) as error:
        what = f"cannot be read: {error}"
        raise TemplateError(name, None, what, "save it as UTF-8 text") from None


def _to_html(name: str, source: str, syntax: Environment) -> str:
    try:
        syntax.parse(source, name, name)
    except TemplateSyntaxError as error:
        raise TemplateError(name, error.lineno, str(error.message)) from None
    if "<mjml" not in source:
        if "<mj-" in source:
            raise TemplateError(
                name,
                None,
                "has MJML tags but is no whole <mjml> document",
                "fill blocks of the layout with plain HTML, or write the whole document",
            )
        return source
    try:
        # No fonts: by default a style sheet of Google Fonts is linked for some font names, and
        # every reader's client would tell a third party that the letter was opened.
        return mjml2html(source, disable_comments=True, fonts={})
    except ValueError as error:
        raise TemplateError(
            name,
            None,
            f"is not valid MJML: {error}",
            "a < inside a Jinja tag is a usual reason: write a test such as 'is lt 3' instead",
        ) from None
