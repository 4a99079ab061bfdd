"""The two Jinja environments: plain text, which escapes nothing, and HTML, which escapes all.

Two, since what a template escapes must not depend on its name or on who includes it: the words
that both kinds of letter share are compiled once for each.
"""

from collections.abc import Mapping
from typing import Any, Final

from jinja2 import FunctionLoader, StrictUndefined, TemplateNotFound, TemplateSyntaxError
from jinja2.environment import TemplateModule
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import missing

from worker.content.errors import TemplateError
from worker.content.events import TESTS
from worker.content.filters import filters, is_weblink
from worker.content.letter import Notice, OperatorGuide
from worker.content.sources import Sources

TEXT_LAYOUT: Final = "shared/layout.txt.j2"
HTML_LAYOUT: Final = "shared/layout.mjml.j2"
_PLAIN: Final = frozenset({Notice, OperatorGuide, TemplateModule})
# All that a template sees of a letter.
VARIABLES: Final = (
    "signature",
    "holder_name",
    "first",
    "notices",
    "others",
    "guides",
    "unsubscribe",
    "way_out",
)


class Sandbox(ImmutableSandboxedEnvironment):
    """The sandbox, with a short way to the public attributes of the few types we hand in.

    It compares every object with a dozen internal types, which took most of an email's time.
    """

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Read ``obj.attribute`` for a template; what is not plain goes through the sandbox."""
        if type(obj) in _PLAIN and not attribute.startswith("_"):
            value = getattr(obj, attribute, missing)
            if value is not missing:
                return value
        return super().getattr(obj, attribute)


def build(sources: Sources, *, html: bool) -> Sandbox:
    """Make the environment whose templates are ``sources`` and nothing else."""

    def find(name: str) -> tuple[str, str, None] | None:
        # The name stands for the file name too, so that tracebacks show it.
        return (sources[name], name, None) if name in sources else None

    environment = Sandbox(
        loader=FunctionLoader(find),
        autoescape=html,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        cache_size=-1,
    )
    environment.filters.update(filters(html))
    environment.tests.update({"weblink": is_weblink, **TESTS})
    # A letter's words extend this, and so serve the plain text and the HTML alike.
    environment.globals["layout"] = HTML_LAYOUT if html else TEXT_LAYOUT
    return environment


def explain(error: Exception, name: str, known: Mapping[str, object]) -> TemplateError:
    """Say where in the templates ``known`` the rendering of ``name`` went wrong, and how."""
    file, line = _position(error, name, known)
    if isinstance(error, TemplateNotFound):
        missing = error.message if str(error.name) in str(error.message) else error.name
        return TemplateError(file, line, f"there is no template {missing}")
    what = str(getattr(error, "message", None) or error) or type(error).__name__
    hint = f"a template sees {', '.join(VARIABLES)}; templates/README.md tells what is in them"
    return TemplateError(file, line, what, hint)


def _position(error: Exception, name: str, known: Mapping[str, object]) -> tuple[str, int | None]:
    """File and line: Jinja gives every frame of a template its own name and line."""
    if isinstance(error, TemplateSyntaxError):
        return error.name or name, error.lineno
    found: tuple[str, int | None] = (name, None)
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename in known:
            found = trace.tb_frame.f_code.co_filename, trace.tb_lineno
        trace = trace.tb_next
    return found
