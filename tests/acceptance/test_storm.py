"""A short storm, with everything killed, frozen, cut and refused meanwhile."""

from dataclasses import replace

import pytest

from tests.acceptance.program import Program

NEVER = ("lost", "duplicates", "sent_after_renewal", "sent_after_opt_out", "unexplained")


# On SQLite, where everything that is killed holds the one lock; `make storm` plays it on both.
@pytest.mark.timeout(1500)
def test_nothing_is_lost_or_doubled_in_a_short_storm(vigencia: Program) -> None:
    ran = replace(vigencia, patience=1400).run(
        *("storm", "--database", "sqlite", "--seconds", "60", "--cards", "150", "--seed", "7"),
        *("--due", "30", "--kills", "10", "--faults", "10", "--json"),
    )
    told = ran.json
    assert {name: told[name] for name in NEVER} == dict.fromkeys(NEVER, 0), told
    assert told["missing"] == []
    assert told["due"] >= 30
    assert told["accepted"] > 10
    assert told["kills"] >= 10
    assert told["faults"] >= 10
    assert all(told["blows"].values())
    assert (ran.code, told["held"]) == (0, True)


@pytest.mark.timeout(1500)
def test_a_storm_in_which_too_little_happened_has_failed_and_says_so(vigencia: Program) -> None:
    ran = replace(vigencia, patience=1400).run(
        *("storm", "--database", "sqlite", "--seconds", "120", "--cards", "10", "--seed", "7"),
        *("--due", "100000", "--limit", "5"),
    )
    assert ran.code == 1
    assert "sqlite: not enough has happened, so nothing is proven: " in ran.out
    assert "of 100000 notices due" in ran.out
    assert "every notice owed was sent once" not in ran.out
