"""Another policy for the same packs: what if ``policies.toml`` were this file?"""

from pathlib import Path

from worker.core.rules import Rules
from worker.errors import ConfigError
from worker.setup.policy_file import PolicyFile
from worker.tables import read_file, wrong


def with_policies(rules: Rules, path: Path) -> Rules:
    """``rules`` with the policies of the file ``path`` in place of their own.

    Raises ``ConfigError`` that lists everything that is wrong, with file and key.
    """
    if not path.exists():
        raise ConfigError(
            f"There is no policy file {path}", "Copy config/policies.toml and change it."
        )
    policies, errors = read_file(PolicyFile, path)
    if policies is None:
        raise wrong("The policy is wrong:", errors)
    return policies.into(rules)
