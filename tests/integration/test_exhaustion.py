"""A process that can open no more files goes on with what it has, and nothing waits for ever."""

import os
import subprocess
import sys

from tests.patience import patient

# No further file can be opened once it has started.
_STARVED = """
import resource
from worker.pipeline.delivery.limits import country_of, load_countries
load_countries()
resource.setrlimit(resource.RLIMIT_NOFILE, (3, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
try:
    open("/dev/null")
except OSError:
    numbers = ("+51987654321", "+8613800138000", "+12125550123", "+442071234567")
    print([country_of(number) for number in numbers])
"""


def test_the_country_of_a_number_is_known_without_a_file_to_be_opened() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _STARVED],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=patient(60),
        check=False,
    )
    assert done.stdout.strip() == "['PE', 'CN', 'US', 'GB']", done.stderr
