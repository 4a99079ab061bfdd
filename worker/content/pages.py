"""The pages behind links: templates of their own, in HTML only, with a style and no script."""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from jinja2 import Template
from markupsafe import Markup

from worker.content.bounds import begin
from worker.content.environment import build, explain
from worker.core.cards import Language
from worker.errors import ConfigError

PAGES: Final = ("stop", "resume", "renewed", "works", "fails", "tomorrow", "gone")
_FOLDER: Final = "web"
# What is < & > or a quote would be escaped, and its hash would not fit.
_STYLE: Final = (
    ":root{color-scheme:light dark}"
    "body{font:18px/1.5 system-ui,sans-serif;margin:0;padding:1rem;overflow-wrap:anywhere}"
    "main{max-width:34rem;margin:0 auto}.from{margin:0;font-weight:600}"
    "h1{font-size:1.5rem;line-height:1.25;margin:.25rem 0 1rem}"
    "h2{font-size:1.2rem;line-height:1.3;margin:1.5rem 0 .5rem}"
    "fieldset{border:1px solid;padding:.5rem 1rem}legend{padding:0 .5rem}"
    # Whatever can be tapped is 44 CSS pixels high or more: 2 * 9 + 27 of its line.
    "a,label{display:inline-block;padding:9px 0;min-height:44px;box-sizing:border-box}"
    "input,button{font:inherit}input[type=date],button{padding:.7rem 1rem;min-height:48px}"
    "input[type=radio]{width:1.2rem;height:1.2rem;vertical-align:middle}"
    "button{font-weight:600;cursor:pointer}"
)
_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
# Nothing is loaded, run, framed or sent anywhere but to where the page came from.
POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True, slots=True)
class Pages:
    """Every page, compiled, by its name."""

    templates: Mapping[str, Template]
    sources: Mapping[str, str]

    @classmethod
    def load(cls, directory: Path) -> "Pages":
        """Compile the pages below ``directory``. Raises ``ConfigError`` with file and line."""
        sources = read_pages(directory)
        environment = build(sources, html=True)
        environment.globals["style"] = Markup(_STYLE)  # noqa: S704 - ours
        templates = {}
        for page in PAGES:
            name = f"{_FOLDER}/{page}.html.j2"
            begin(name)
            try:
                templates[page] = environment.get_template(name)
            except Exception as error:
                raise explain(error, name, sources) from None
        return cls(templates, sources)

    def render(self, page: str, language: Language, **values: Any) -> str:
        """One page as HTML. Raises ``ConfigError`` if its template cannot."""
        try:
            return self.templates[page].render(language=language, **values)
        except Exception as error:  # a template can fail in any way that Python can
            raise explain(error, f"{_FOLDER}/{page}.html.j2", self.sources) from None


def read_pages(directory: Path) -> dict[str, str]:
    """The sources of the pages by name. Raises ``ConfigError`` for what is missing."""
    names = ["page.html.j2", *(f"{page}.html.j2" for page in PAGES)]
    names += [f"{language}/words.j2" for language in Language]
    found = {}
    for name in names:
        try:
            found[f"{_FOLDER}/{name}"] = (directory / _FOLDER / name).read_text("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"{directory / _FOLDER / name} cannot be read ({type(error).__name__})",
                "Copy the folder web/ from the templates that come with the program.",
            ) from None
    return found
