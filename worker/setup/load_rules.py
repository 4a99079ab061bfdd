"""Reads the rules from ``config/``: operator packs and policies, every error with file and key."""

from pathlib import Path

from worker.cardbook.column_file import load_columns
from worker.cardbook.columns import Columns
from worker.core.operators import OperatorPack
from worker.core.rules import Rules
from worker.errors import ConfigError
from worker.setup.operator_file import OperatorFile
from worker.setup.policy_file import PolicyFile
from worker.setup.route_file import RouteFile
from worker.tables import read_file, wrong


def load_rules(directory: Path) -> Rules:
    """Read ``policies.toml``, ``operators/*.toml`` and ``routes.toml``.

    Raises ``ConfigError`` that lists everything that is wrong.
    """
    policies, errors = read_file(PolicyFile, directory / "policies.toml")
    packs: dict[str, OperatorPack] = {}
    for file in sorted((directory / "operators").glob("*.toml")):
        pack, found = read_file(OperatorFile, file)
        errors += found
        if pack:
            packs[file.stem] = pack.pack(file.stem)
    if not packs and not errors:
        errors.append(f"{directory / 'operators'}: there is no operator pack")
    routes, found = read_file(RouteFile, directory / "routes.toml")
    errors += found
    if errors or not policies or not routes:
        raise wrong("The rules are wrong:", errors)
    return policies.into(Rules(packs, {}, routes=routes.routes()))


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
