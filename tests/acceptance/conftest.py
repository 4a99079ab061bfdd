"""Fixtures of the whole program."""

from pathlib import Path

import pytest

from tests.acceptance.program import Program
from tests.integration.sandbox_helpers import reset
from worker.sandbox.process import SandboxProcess


@pytest.fixture
def vigencia(tmp_path: Path) -> Program:
    """The program in an empty directory, with a small worker pool."""
    return Program(tmp_path, {})


@pytest.fixture
def sandbox(sandbox_in_real_time: SandboxProcess) -> SandboxProcess:
    """A sandbox that was told nothing yet."""
    reset(sandbox_in_real_time.url)
    return sandbox_in_real_time
