"""The examination behind `vigencia doctor`: each part is looked at, none is changed."""

from collections.abc import Callable, Iterator
from datetime import date, timedelta

from worker.core.breaker import is_down
from worker.core.operators import OperatorPack, Rung
from worker.errors import VigenciaError
from worker.paths import config_dir, templates_dir
from worker.processes import clocks
from worker.processes.doctor.database import database, is_missing
from worker.processes.doctor.findings import CheckResult
from worker.processes.doctor.online import ask_providers
from worker.processes.embedded import HOW_TO_GET_ONE, find_server
from worker.providers.declaration import Remark
from worker.providers.registry import PROVIDERS
from worker.setup.app import App
from worker.setup.broker import require_queue, trouble
from worker.setup.build import build, require_sandbox
from worker.setup.gateways import Mode
from worker.setup.load_rules import load_vocabulary
from worker.setup.load_texts import texts
from worker.store import breakers, quarantine, suppressions, views
from worker.store.engine import reading
from worker.store.migrate import head, revision
from worker.store.open_messages import MOST

# A value that nobody has looked at for half a year may have changed.
_STALE = timedelta(days=180)


def examine(*, online: bool = False) -> list[CheckResult]:
    """Look at everything; a part that is wrong does not keep the others from being looked at.
    ``online``: the providers are asked whether they know the credentials; nothing is sent."""
    try:
        app = build(make_folder=False)
    except VigenciaError as error:
        return [CheckResult("configuration", "error", error.message, error.hint)]
    except Exception as error:  # whatever a setting may do, its name helps more than a traceback
        return [_unexpected("configuration", error)]
    found = CheckResult("configuration", "ok", f"{config_dir()}, and the environment over it")
    parts = [part for part in _PARTS if online or part != _ONLINE]
    return [found, *look_at(app, *parts)]


def look_at(app: App, *parts: str) -> list[CheckResult]:
    """Look at these parts of a program that is put together."""
    findings: list[CheckResult] = []
    for name in parts:
        try:
            findings += _PARTS[name](app)
        except VigenciaError as error:
            findings.append(CheckResult(name, "error", error.message, error.hint))
        except Exception as error:
            findings.append(_unexpected(name, error))
    return findings


def _unexpected(name: str, error: Exception) -> CheckResult:
    """The text of an error that nobody foresaw may hold a secret; its kind does not."""
    message = f"it could not be looked at ({type(error).__name__})"
    return CheckResult(name, "error", message, "check its settings (docs/configuration.md)")


def _quarantine(app: App) -> Iterator[CheckResult]:
    if is_missing(app):
        return
    with reading(app.engine) as conn:
        held = quarantine.current(conn) if revision(conn) == head() else None
    if held is not None:
        message = f"in quarantine since {held.begun_at:%Y-%m-%d %H:%M} UTC: nothing is sent"
        hint = "vigencia db release asks what was sent since the backup, and ends it"
        yield CheckResult("database", "warning", message, hint)


def _queue(app: App) -> Iterator[CheckResult]:
    if app.settings.redis_url is not None:
        require_queue(app.settings.redis_url)
        if found := trouble(app.settings.redis_url):
            yield CheckResult("queue", "error", *found)
        else:
            yield CheckResult("queue", "ok", "the server at REDIS_URL answers")
    elif server := find_server():
        yield CheckResult("queue", "ok", f"embedded: `vigencia up` starts {server.name}")
    else:
        hint = f"{HOW_TO_GET_ONE}, or set REDIS_URL"
        yield CheckResult("queue", "error", "no REDIS_URL, and no server is installed", hint)


def _providers(app: App) -> Iterator[CheckResult]:
    for channel, mode in app.gateways.modes.items():
        prefixes = [one.prefix for one in PROVIDERS if channel in one.channels]
        hint = f"set the {' or '.join(prefixes)} variables"
        carriers = app.gateways.on(channel)
        if mode is Mode.LIVE:
            message = f"live: messages reach real people, {app.gateways.through(channel)}"
            if others := [one.elsewhere for one in carriers if one.elsewhere]:
                message += f", at {' and '.join(others)}"
            yield CheckResult(channel, "ok", message)
        elif mode is Mode.OFF:
            yield CheckResult(
                channel, "warning", "off: its reminders go over the other channel", hint
            )
        else:
            where = app.gateways.through(channel)
            url = carriers[0].account.address
            message = f"sandbox at {url}, {where}: nobody real is reached"
            yield CheckResult(channel, "warning", message, f"to go live, {hint}")
    try:
        require_sandbox(app)
    except VigenciaError as error:
        hint = f"{error.hint} (`vigencia up` starts one itself)"
        yield CheckResult("sandbox", "warning", error.message, hint)


def _webhooks(app: App) -> Iterator[CheckResult]:
    """Without reports from live providers most of what happens to a message stays unknown."""
    if Mode.LIVE not in app.gateways.modes.values():
        return
    url = app.settings.web.public_url
    if url is None:
        message = "no web.public_url: what becomes of a message after it was sent is not known"
        hint = "set VIGENCIA_WEB__PUBLIC_URL, run vigencia web (docs/deployment.md, Webhooks)"
        yield CheckResult("webhooks", "warning", message, hint)
    lacks = [lack for name, lack in _lacks(app) if lack and name in app.gateways.own]
    for lack in lacks:
        yield CheckResult("webhooks", lack.level, lack.message, lack.hint)
    if app.signer is None:
        message = "no SECRET_KEY: messages have no links to unsubscribe or to answer with"
        hint = "set it to 32 characters or more (docs/configuration.md)"
        yield CheckResult("links", "warning", message, hint)
    if url is not None and not lacks:
        yield CheckResult("webhooks", "ok", f"at {url}, if providers reach vigencia web there")


def _lacks(app: App) -> list[tuple[str, Remark | None]]:
    """What each provider's webhooks lack. Raises ``ConfigError`` for a key that is none."""
    return [(one.name, one.lack(app.gateways.given[one.name])) for one in PROVIDERS]


def _texts(_app: App) -> Iterator[CheckResult]:
    texts(templates_dir())
    yield CheckResult("texts", "ok", f"every template in {templates_dir()} renders")


def _rules(app: App) -> Iterator[CheckResult]:
    names = ", ".join(pack.name for pack in app.rules.packs.values())
    yield CheckResult("rules", "ok", f"{len(app.rules.policies)} policies; operators: {names}")
    load_vocabulary(config_dir(), app.rules)
    for pack in app.rules.packs.values():
        yield from _pack(pack, app.now().date())


def _limits(app: App) -> Iterator[CheckResult]:
    _ = app.limits  # a cap on spending needs prices
    if is_missing(app):
        return
    with reading(app.engine) as conn:
        found = breakers.open_ones(conn) if revision(conn) == head() else []
    for one in found:
        since, again = (f"{at:%Y-%m-%d %H:%M} UTC" for at in (one.opened_at, one.probe_at))
        down = is_down(one.code)
        what = "no answer" if down else f"refused with {one.code}"
        told = f"{one.key}: {what} since {since}, {one.failures} times;"
        if not one.held and one.probe_at <= app.now():
            yield CheckResult(
                "breaker", "ok", f"{told} nothing waits, and the next message tries it"
            )
            continue
        message = f"{told} {one.held} messages are held, one is tried at {again}"
        hint = "correct the provider's account, key, sender or permission; the rest goes by itself"
        if down:
            hint = "see the provider's status page, and whether it can be reached from here"
        yield CheckResult("breaker", "warning", message, hint)


def _addresses(app: App) -> Iterator[CheckResult]:
    """Whom nobody writes to any more although nobody asked for that."""
    if is_missing(app):
        return
    with reading(app.engine) as conn:
        if revision(conn) != head():
            return
        dead = suppressions.dead(conn, MOST)
    if dead:
        message = f"{dead} addresses are not written to: a provider calls them dead"
        hint = "vigencia suppressions list; correct them in the card book, or suppressions remove"
        yield CheckResult("addresses", "warning", message, hint)


def _clocks(app: App) -> Iterator[CheckResult]:
    """Leases, the hours of holders and what is looked up in a provider's list go by the clock."""
    found = dict(clocks.differences(app))
    for name, ahead in found.items():
        if abs(ahead) > clocks.TOLERATED:
            message = f"the clock of {name} is {clocks.in_words(ahead)} this machine's"
            hint = "which of them is wrong? Let each machine follow a time server (timedatectl)"
            yield CheckResult("clocks", "warning", message, hint)
    if all(abs(ahead) <= clocks.TOLERATED for ahead in found.values()):
        others = f", as it is at {' and '.join(found)}" if found else ""
        yield CheckResult("clocks", "ok", f"it is {clocks.now_in_words(app.now())}{others}")


def _books(app: App) -> Iterator[CheckResult]:
    """Invented cards in a database that goes live."""
    if is_missing(app):
        return
    with reading(app.engine) as conn:
        rows = views.list_books(conn) if revision(conn) == head() else []
    for row in rows:
        if row["sample"] and app.gateways.live:
            message = f"{row['book']!r} is the sample book: nothing of it is sent"
            hint = f"vigencia books remove {row['book']!r} --apply"
            yield CheckResult("books", "warning", message, hint)


def _pack(pack: OperatorPack, today: date) -> Iterator[CheckResult]:
    facts = list(pack.facts())
    stale = [fact for fact in facts if today - fact.checked_on > _STALE]
    if stale:
        oldest = min(fact.checked_on for fact in stale)
        message = f"{pack.name}: {len(stale)} of {len(facts)} values not checked since {oldest}"
        hint = f"check them and set checked_on in operators/{pack.code}.toml"
        yield CheckResult("rules", "warning", message, hint)
    for rung in Rung:
        values = sorted({int(fact.value) for fact in pack.rungs.get(rung, ())})
        if len(values) > 1:
            told = " and ".join(map(str, values))
            message = f"{pack.name}: sources disagree on {rung} ({told} days): the earlier warns"
            yield CheckResult("rules", "warning", message)


_ONLINE = "online"
_PARTS: dict[str, Callable[[App], Iterator[CheckResult]]] = {
    "database": database,
    "quarantine": _quarantine,
    "clocks": _clocks,
    "queue": _queue,
    "providers": _providers,
    "webhooks": _webhooks,
    "texts": _texts,
    "rules": _rules,
    "limits": _limits,
    "addresses": _addresses,
    "books": _books,
    _ONLINE: ask_providers,
}
