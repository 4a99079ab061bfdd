"""How long is kept: what is refused, and that nothing deleted can be owed a second time."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from tests.unit.core_helpers import RULES, a_card, a_holder, evaluate
from worker.core.cards import Kind
from worker.core.deadlines import ladder
from worker.core.window_times import spans
from worker.pipeline.retention import SETTLED
from worker.setup.sections import RetentionSettings

NOW = datetime(2026, 6, 12, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("days", "why"),
    [
        ({"address_days": 365}, "at least 366 are needed: a link to stop"),
        ({"proof_days": 120}, "at least 366 are needed: a link to stop"),
        ({"address_days": 800}, "cannot exceed proof_days"),
        ({"content_days": 731}, "cannot exceed proof_days"),
        ({"content_days": 0}, "greater than or equal to 1"),
    ],
)
def test_periods_that_are_too_short_are_refused(days: dict[str, int], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        RetentionSettings(**days)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", list(Kind))
def test_what_is_settled_is_owed_by_no_policy_any_more(kind: Kind) -> None:
    """Rows may go once their deadline and their use are settled: with no row of it left, and the
    longest usefulness a policy can set, nothing of that deadline is owed or missed."""
    long_ago = (NOW - SETTLED).date()
    policy = RULES.policies[kind]
    for days in (0, 1, 30, 400):
        card = a_card(kind=kind, plan_end=long_ago - timedelta(days=days), last_topup=None)
        card = replace(card, watched_since=NOW - timedelta(days=1000))
        holder, pack = a_holder(), RULES.packs[card.operator]
        steps = ladder(card, pack)
        gone = {
            span.window.name
            for span in spans(card, holder, steps, replace(policy, useful_days=1))
            if span.until <= NOW - SETTLED
        }
        planned = evaluate(card, holder, pack, replace(policy, useful_days=90), NOW).planned
        assert gone
        assert not gone & {one.key.window for one in planned}
