"""Reads the rules from ``config/``: operator packs and policies, every error with file and key."""

from pathlib import Path

from worker.cardbook.columns import Columns, load_columns
from worker.core.operators import OperatorPack, parse_pack
from worker.core.policy import parse_events, parse_policies
from worker.core.routes import parse_routes
from worker.core.rules import Rules
from worker.core.tolerance import parse_tolerance
from worker.errors import ConfigError
from worker.paths import place, read_toml


def load_rules(directory: Path) -> Rules:
    """Read ``policies.toml``, ``operators/*.toml`` and ``routes.toml``.

    Raises ``ConfigError`` that lists everything that is wrong.
    """
    path = directory / "policies.toml"
    data = read_toml(path)
    policies, found = parse_policies(data)
    events, more = parse_events(data)
    tolerance, wrong = parse_tolerance(data)
    found += more + wrong
    errors = [place(path, problem) for problem in found]
    packs: dict[str, OperatorPack] = {}
    for file in sorted((directory / "operators").glob("*.toml")):
        pack, found = parse_pack(file.stem, read_toml(file))
        errors += [place(file, problem) for problem in found]
        if pack:
            packs[pack.code] = pack
    if not packs and not errors:
        errors.append(f"{directory / 'operators'}: there is no operator pack")
    routes_path = directory / "routes.toml"
    routes, found = parse_routes(read_toml(routes_path))
    errors += [place(routes_path, problem) for problem in found]
    if errors:
        raise ConfigError(
            "\n  ".join(["The rules are wrong:", *errors]), "Correct these keys and try again."
        )
    return Rules(packs, policies, events, routes, tolerance)


def load_vocabulary(directory: Path, rules: Rules) -> Columns:
    """Read ``columns.toml``, the words of card books.

    Raises ``ConfigError`` also for an operator without a pack: its cards would be imported, and
    most of their deadlines never be known.
    """
    path = directory / "columns.toml"
    columns = load_columns(path)
    if strangers := sorted(set(columns.operators.values()) - set(rules.packs)):
        raise ConfigError(
            f"{path}: operators.{strangers[0]} has no operator pack",
            f"Write {directory / 'operators' / strangers[0]}.toml, or remove the key.",
        )
    return columns
