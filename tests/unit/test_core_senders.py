"""Which provider carries a message: as the weights share them out, and away from failures."""

from collections import Counter

import pytest

from worker.core.breaker import Sender
from worker.core.cards import Channel
from worker.core.outcomes import Outcome, OutcomeKind
from worker.core.senders import SenderPool, fails

ONE = Sender(Channel.EMAIL, "sendgrid", "reminders@example.com")
TWO = Sender(Channel.EMAIL, "smtp", "reminders@example.com")


def first(pool: SenderPool, count: int = 2_000, attempts: int = 0) -> Counter[str]:
    return Counter(pool.order(message, attempts)[0].provider for message in range(count))


def test_a_single_lane_is_all_there_is() -> None:
    assert SenderPool((ONE,)).order(7, 3, failed="sendgrid", away={"sendgrid"}) == (ONE,)


@pytest.mark.parametrize(
    ("weights", "share"),
    [((100, 0), 0), ((0, 100), 2_000), ((50, 50), 1_000), ((90, 10), 200), ((0, 0), 1_000)],
)
def test_messages_are_shared_by_weight(weights: tuple[int, int], share: int) -> None:
    assert abs(first(SenderPool((ONE, TWO), weights))["smtp"] - share) <= min(share, 100)


def test_the_same_attempt_always_draws_the_same_and_others_draw_anew() -> None:
    pool = SenderPool((ONE, TWO), (50, 50))
    drawn = [pool.order(7, attempts)[0] for attempts in range(20)]
    assert drawn == [pool.order(7, attempts)[0] for attempts in range(20)]
    assert set(drawn) == {ONE, TWO}


@pytest.mark.parametrize("weights", [(100, 0), (0, 100), (50, 50)])
def test_who_failed_or_rests_comes_last_but_is_not_ruled_out(weights: tuple[int, int]) -> None:
    pool = SenderPool((ONE, TWO), weights)
    for message in range(20):
        assert pool.order(message, 1, failed="sendgrid") == (TWO, ONE)
        assert pool.order(message, 1, away={"smtp"}) == (ONE, TWO)
        assert pool.order(message, 1, failed="smtp", away={"sendgrid"}) == (ONE, TWO)


def test_behind_the_one_that_is_drawn_the_others_follow_by_weight() -> None:
    three = Sender(Channel.EMAIL, "other", "reminders@example.com")
    pool = SenderPool((ONE, TWO, three), (0, 10, 90))
    orders = {pool.order(message, 0) for message in range(200)}
    assert orders == {(TWO, three, ONE), (three, TWO, ONE)}


@pytest.mark.parametrize("kind", OutcomeKind)
def test_what_speaks_of_the_message_or_its_address_does_not_speak_against_the_provider(
    kind: OutcomeKind,
) -> None:
    about_us = (OutcomeKind.ACCEPTED, OutcomeKind.RECIPIENT_DEAD, OutcomeKind.MESSAGE_DEAD)
    assert fails(Outcome(kind, "code")) is (kind not in about_us)
