"""Fixtures of the whole program."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.program import Program
from worker.sandbox.process import SandboxProcess


@pytest.fixture
def vigencia(tmp_path: Path) -> Program:
    """The program in an empty directory, with a small worker pool."""
    return Program(tmp_path, {})


@pytest.fixture
def sandbox() -> Iterator[SandboxProcess]:
    """A sandbox of the test's own."""
    with SandboxProcess() as process:
        yield process
