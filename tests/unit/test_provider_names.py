"""Only a provider's own package knows it by name; everybody else asks the registry."""

import re
from pathlib import Path

import pytest

from worker.providers.registry import PROVIDERS

_WORKER = Path(__file__).parents[2] / "worker"
# Who else may name a provider, and why. The sandbox plays each of them in modules of its own.
_ALLOWED = {
    "providers/registry.py": "the one list",
    "setup/settings.py": "the names of variables",
    "setup/sections.py": "the names of settings",
    "core/optout.py": "the source of the words",
}
_OWN = ("sandbox/", *(f"providers/{one.name}/" for one in PROVIDERS))
_NAMES = re.compile("|".join(one.name for one in PROVIDERS), re.IGNORECASE)
# How emails are written, and not who carries them.
_OTHER = re.compile(r"SMTPUTF8|email\.policy import SMTP$|SMTP\.clone")


def test_no_other_module_names_a_provider() -> None:
    named = {}
    for path in sorted(_WORKER.rglob("*.py")):
        name = path.relative_to(_WORKER).as_posix()
        if name in _ALLOWED or name.startswith(_OWN):
            continue
        lines = path.read_text(encoding="utf-8").splitlines()
        if found := [line for line in lines if _NAMES.search(_OTHER.sub("", line))]:
            named[name] = found
    assert named == {}


@pytest.mark.parametrize("name", sorted(_ALLOWED))
def test_every_exception_is_needed(name: str) -> None:
    assert _NAMES.search((_WORKER / name).read_text(encoding="utf-8"))
