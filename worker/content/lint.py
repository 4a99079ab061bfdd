"""Everything that can be wrong with the templates, told at once."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from worker.content.environment import build
from worker.content.errors import TemplateError
from worker.content.findings import Finding
from worker.content.lint_letters import Letters
from worker.content.lint_names import check_names
from worker.content.lint_words import check_words
from worker.content.pages import read_pages
from worker.content.render import Content
from worker.core.operators import OperatorPack
from worker.errors import ConfigError


def lint_templates(
    directory: Path, signature: str, packs: Sequence[OperatorPack], public_url: str | None = None
) -> tuple[Content, list[Finding]]:
    """Look at every template below ``directory``, with ``signature``, the operators ``packs`` and
    links below ``public_url``.

    Returns what could be compiled too, so that others can ask which texts there are.
    """
    content, errors = Content.collect(directory)
    syntax = build({}, html=False)
    found = [_finding(error, "template") for error in errors]
    found += check_words(content.sources, syntax)
    try:
        found += check_words(read_pages(directory), syntax)
    except ConfigError as error:
        found.append(Finding("web", 0, "error", "template", "web", error.message))
    found += check_names(content.sources, syntax)
    found += Letters(content, signature, tuple(packs), public_url=public_url).check()
    return content, sorted(set(_placed(directory, found)))


def _finding(error: TemplateError, rule: str) -> Finding:
    return Finding(error.file, error.line or 0, "error", rule, key_of(error.file), error.what)


def key_of(name: str) -> str:
    """``low_data/en/sms.txt.j2`` is about ``low_data en``, a shared file about what it shares."""
    return " ".join(name.split("/")[:-1])


def _placed(directory: Path, found: Iterable[Finding]) -> Iterable[Finding]:
    """The findings with files as a person can open them."""
    for one in found:
        path = Path(one.file)
        file = path if path.is_absolute() or path.is_relative_to(directory) else directory / path
        yield Finding(str(file), one.line, one.severity, one.rule, one.key, one.message)
