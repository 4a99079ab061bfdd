"""The two Jinja environments: plain text, which escapes nothing, and HTML, which escapes all.

Two, since what a template escapes must not depend on its name or on who includes it: the words
that both kinds of letter share are compiled once for each.
"""

from collections.abc import Mapping, MutableMapping
from types import BuiltinMethodType
from typing import Any, Final

from jinja2 import FunctionLoader, StrictUndefined, TemplateNotFound, TemplateSyntaxError
from jinja2.environment import TemplateModule
from jinja2.runtime import Context, Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import missing

from worker.content.cached_parts import CachedParts, KeptTag
from worker.content.compiled import Code
from worker.content.errors import TemplateError
from worker.content.escaping import Generator, escaped
from worker.content.events import TESTS
from worker.content.filters import filters, is_weblink
from worker.content.letter import Notice, OperatorGuide
from worker.content.sources import Sources

TEXT_LAYOUT: Final = "shared/layout.txt.j2"
HTML_LAYOUT: Final = "shared/layout.mjml.j2"
_PLAIN: Final = frozenset({Notice, OperatorGuide, TemplateModule})
_CALLED: Final = frozenset({Macro, BuiltinMethodType, CachedParts})
_OF_STRINGS: Final = frozenset({"startswith", "endswith"})
# All that a template sees of a letter.
VARIABLES: Final = (
    "signature",
    "holder_name",
    "first",
    "notices",
    "others",
    "events",
    "guides",
    "unsubscribe",
    "way_out",
    "replies",
    "tails",
    "abroad",
)


class TemplateSandbox(ImmutableSandboxedEnvironment):
    """The sandbox, with a short way to the public attributes of the few types we hand in, and to
    the macros of the templates themselves.

    It compares every object with a dozen internal types, which took most of an email's time.
    """

    code_generator_class = Generator
    escaped = staticmethod(escaped)

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Read ``obj.attribute`` for a template; what is not plain goes through the sandbox."""
        if type(obj) in _PLAIN and attribute[:1] != "_":
            value = getattr(obj, attribute, missing)
            if value is not missing:
                return value
        elif type(obj) is str and attribute in _OF_STRINGS:
            return getattr(obj, attribute)
        return super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Read ``obj[argument]``: of what is plain, which has no items, an attribute."""
        if type(obj) in _PLAIN and type(argument) is str:
            return self.getattr(obj, argument)
        return super().getitem(obj, argument)

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805
        """Call ``__obj`` for a template: a macro, which is made of template code, or a method of a
        plain value, which has passed ``getattr``, cannot be marked as unsafe."""
        kind = type(__obj)
        if kind in _CALLED:
            kwargs.pop("_loop_vars", None)
            kwargs.pop("_block_vars", None)
            if kind is Macro:
                args = (__context.eval_ctx, *args)
            return __obj(*args, **kwargs)
        return super().call(__context, __obj, *args, **kwargs)

    def make_globals(self, d: MutableMapping[str, Any] | None) -> MutableMapping[str, Any]:
        """The globals of one template: a plain dict, since each render copies them all and a
        chain of dicts is ten times slower to copy. So they are complete before a load."""
        return {**self.globals, **(d or {})}


def build(sources: Sources, *, html: bool, code: Code | None = None) -> TemplateSandbox:
    """Make the environment whose templates are ``sources`` and nothing else. ``code``: what has
    been compiled of them already, and where it is kept."""

    def find(name: str) -> tuple[str, str, None] | None:
        # The name stands for the file name too, so that tracebacks show it.
        return (sources[name], name, None) if name in sources else None

    environment = TemplateSandbox(
        loader=FunctionLoader(find),
        autoescape=html,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        cache_size=-1,
        bytecode_cache=code,
        extensions=[KeptTag],
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
