"""A short storm: a day in 20 seconds, with everything killed, cut and refused meanwhile."""

from dataclasses import replace

import pytest

from tests.acceptance.program import Program

NEVER = ("lost", "duplicates", "sent_after_renewal", "sent_after_opt_out", "unexplained")


@pytest.mark.timeout(240)
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_nothing_is_lost_or_doubled_in_a_short_storm(vigencia: Program, database: str) -> None:
    patient = replace(vigencia, patience=200)
    ran = patient.run(
        *("storm", "--database", database, "--seconds", "20", "--cards", "150", "--seed", "7"),
        "--json",
    )
    told = ran.json
    assert {name: told[name] for name in NEVER} == dict.fromkeys(NEVER, 0), told
    assert told["due"] > 30
    assert told["accepted"] > 10
    assert told["kills"] >= 10
    assert told["faults"] > 0
    assert (ran.code, told["held"]) == (0, True)
