"""The one environment that pages are made in: everything is escaped, nothing unknown is passed
over, and a template can call nothing but what it is given."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from worker.core.console_languages import Tongue
from worker.paths import shipped
from worker.web.console import words
from worker.web.console.catalogs import catalog

FOLDER: Final[Path] = shipped("templates") / "console"


@cache
def environment(tongue: Tongue) -> ImmutableSandboxedEnvironment:
    """The environment whose pages speak ``tongue``."""
    made = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        extensions=["jinja2.ext.i18n"],
    )
    translations = catalog(tongue)
    # Newstyle: what is put into a translated text is escaped like anything else.
    made.install_gettext_callables(  # type: ignore[attr-defined]
        translations.gettext,
        translations.ngettext,
        newstyle=True,
        pgettext=translations.pgettext,
        npgettext=translations.npgettext,
    )
    made.filters.update(words.filters(tongue, translations))
    return made


def render(template: str, tongue: Tongue, values: Mapping[str, Any]) -> str:
    """A page, or a part of one, as HTML."""
    return environment(tongue).get_template(f"{template}.html.j2").render(**values)
