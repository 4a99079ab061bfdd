"""What is set for a provider, and what it comes to.

What cannot work is told at start, not by the first message. A problem names the setting and the
form, never the value; nothing here asks a provider.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from worker.core.hosts import leads_here, web_parts

# How messages are shared where nothing says it.
_WEIGHT: Final = 100
_VISIBLE: Final = re.compile(r"[!-~]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Given:
    """The settings of one provider: ``values`` by their names without the provider's, such as
    ``from`` and ``base_url``.

    ``sandbox``: the same as its stand-in accepts them, which answers at ``sandbox_url``.
    ``public_url``: where providers reach us. ``live``: does anything reach real people?
    """

    provider: str
    title: str
    values: Mapping[str, str | int | None] = field(repr=False)
    sandbox: Mapping[str, str] = field(default_factory=dict)
    sandbox_url: str = ""
    public_url: str | None = None
    live: bool = True

    @property
    def weight(self) -> int:
        """Its share of the messages of its channel; 0 is a spare."""
        return self.number("weight", _WEIGHT)

    def text(self, name: str) -> str:
        """One setting, empty where it is not set."""
        value = self.values.get(name)
        return "" if value is None else str(value)

    def number(self, name: str, default: int) -> int:
        """One setting that is a number."""
        value = self.values.get(name)
        return value if isinstance(value, int) else default

    def variable(self, name: str) -> str:
        """What the setting ``name`` is called in the environment."""
        return f"{self.provider}_{name}".upper()

    def is_complete(self, needed: Sequence[Sequence[str]], errors: list[str]) -> bool:
        """Is one of each of the alternatives ``needed`` set? Some, but not all, is an error."""
        missing = [one for one in needed if not any(map(self.text, one))]
        if missing and len(missing) < len(needed):
            names = (" or ".join(map(self.variable, one)) for one in missing)
            errors.append(f"{self.title} is half configured; missing: {', '.join(names)}")
        if len(missing) == len(needed):
            self.base_url(False, errors)
        return not missing

    def base_url(self, live: bool, errors: list[str]) -> str | None:
        """Where it is called, if not at its own address: with real credentials (``live``) nowhere
        on this machine, and with the sandbox's nowhere else."""
        url = self.text("base_url")
        if url:
            errors += (f"{self.variable('base_url')} {why}" for why in wrong_url(url, live))
        return url or (None if live else self.sandbox_url)

    def strange(self, name: str) -> Sequence[str]:
        """What is wrong with a secret that was not copied well."""
        if _VISIBLE.fullmatch(self.text(name)):
            return ()
        problem = "holds a space or a character that cannot be seen: copy it anew"
        return (f"{self.variable(name)} {problem}",)


def wrong_url(url: str, live: bool) -> Sequence[str]:
    """What is wrong with an address at which credentials are shown, real (``live``) or not."""
    parts = web_parts(url)
    if parts is None:
        return ("is not an http or https address",)
    if live and leads_here(url):
        return ("points to this machine, but the credentials are real",)
    if live and parts.scheme != "https":
        return ("must be https: the credentials would travel in the open",)
    if not live and not leads_here(url):
        return ("points to another machine, but the credentials are the sandbox's",)
    return ()


class Credentials(Protocol):
    """What a provider is called with. It holds secrets."""

    @property
    def sender(self) -> str:
        """The number or address that messages come from."""
        ...

    @property
    def address(self) -> str:
        """Where messages are handed over, for people and as a URL if it has one."""
        ...


@dataclass(frozen=True, slots=True)
class Configured:
    """A provider that is set. ``live``: does it reach real people, or is it the sandbox? ``None``:
    nothing tells; then it is what the others are."""

    account: Any = field(repr=False)
    live: bool | None
