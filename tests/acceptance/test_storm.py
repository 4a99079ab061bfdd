"""A short storm: a day in 20 seconds, with everything killed, cut and refused meanwhile."""

from dataclasses import replace

import pytest

from tests.acceptance.program import Program

NEVER = ("lost", "duplicates", "sent_after_renewal", "sent_after_opt_out", "unexplained")


# On SQLite, where everything that is killed holds the one lock; `make storm` plays it on both.
@pytest.mark.timeout(240)
def test_nothing_is_lost_or_doubled_in_a_short_storm(vigencia: Program) -> None:
    patient = replace(vigencia, patience=200)
    ran = patient.run(
        *("storm", "--database", "sqlite", "--seconds", "20", "--cards", "150", "--seed", "7"),
        "--json",
    )
    told = ran.json
    assert {name: told[name] for name in NEVER} == dict.fromkeys(NEVER, 0), told
    assert told["due"] > 30
    assert told["accepted"] > 10
    assert told["kills"] >= 10
    assert told["faults"] > 0
    assert (ran.code, told["held"]) == (0, True)
