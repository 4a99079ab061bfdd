"""Another policy for the same packs: what if ``policies.toml`` were this file?"""

from dataclasses import replace
from pathlib import Path

from worker.core.policy import parse_events, parse_policies
from worker.core.rules import Rules
from worker.core.tolerance import parse_tolerance
from worker.errors import ConfigError
from worker.paths import read_toml


def with_policies(rules: Rules, path: Path) -> Rules:
    """``rules`` with the policies of the file ``path`` in place of their own.

    Raises ``ConfigError`` that lists everything that is wrong, with file and key.
    """
    if not path.exists():
        raise ConfigError(
            f"There is no policy file {path}", "Copy config/policies.toml and change it."
        )
    data = read_toml(path)
    policies, errors = parse_policies(data)
    events, more = parse_events(data)
    tolerance, wrong = parse_tolerance(data)
    if errors := [*errors, *more, *wrong]:
        lines = ["The policy is wrong:", *(f"{path}: {problem}" for problem in errors)]
        raise ConfigError("\n  ".join(lines), "Correct these keys and try again.")
    return replace(rules, policies=policies, events=events, tolerance=tolerance)
