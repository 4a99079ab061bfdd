"""Commands that prove or measure: they stand beside the program, in its source tree."""

import sys
from pathlib import Path

from worker.errors import ConfigError

_ROOT = Path(__file__).parents[2]


def require_source_tree(command: str) -> None:
    """Make ``benchmarks`` importable. Raises ``ConfigError`` where the program stands without
    its source tree."""
    if not (_ROOT / "benchmarks" / "storm").is_dir():
        raise ConfigError(
            f"`vigencia {command}` is not part of the installed program.",
            f"Run it from the source tree: make {command}",
        )
    if str(_ROOT) not in sys.path:
        sys.path.insert(0, str(_ROOT))
