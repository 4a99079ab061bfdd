"""What a message costs to render: from its items to what a provider is given, and what is kept.

`python benchmarks/render.py [messages]` prints microseconds of CPU an SMS and an email, by language
and number of cards, with the templates and rules that come with the program.
"""

import sys
import time
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from worker.content.render import Content
from worker.core.cards import Card, CardState, Channel, Holder, Kind, Language
from worker.core.deadlines import DeadlineKind
from worker.core.recheck import Item
from worker.core.reminders import ReminderKey
from worker.core.tokens import SHORTEST_KEY, Links, Signer
from worker.paths import config_dir, templates_dir
from worker.pipeline.delivery.rendering import Renderer, contents, digest_of
from worker.setup.load_rules import load_rules
from worker.store.outbox import OutgoingMessage

NOW = datetime(2026, 6, 5, 14, 0, tzinfo=UTC)
OPERATORS = ("claro", "movistar", "entel", "bitel")
DAYS = (0, 1, 3, 7, 30)
ROUNDS = 7
LINKS = Links("https://v.example.com", Signer((b"k" * SHORTEST_KEY,)))


def outgoing(number: int, channel: Channel, language: Language, cards: int) -> OutgoingMessage:
    """A message to a holder of ``cards`` cards, whose operators, kinds and days left differ."""
    holder = Holder(number, f"Holder {number}", language, "America/Lima", None, None)
    items = tuple(_item(number * 10 + place, channel) for place in range(cards))
    return OutgoingMessage(
        number, 1, channel, 0, NOW + timedelta(days=6), holder, "Vigencia", items
    )


def _item(number: int, channel: Channel) -> Item:
    end = date(2026, 6, 5) + timedelta(days=DAYS[number // 7 % len(DAYS)])
    card = Card(
        id=number, book_id=1, holder_id=number, kind=tuple(Kind)[number // 3 % 4],
        operator=OPERATORS[number % 4], msisdn=f"+519{number:08}", iccid=None, plan="30 dias",
        plan_days=30, plan_end=end, last_topup=end - timedelta(days=30), balance=None,
        state=CardState.ACTIVE, time_zone="America/Lima", watched_since=NOW - timedelta(days=90),
    )  # fmt: skip
    key = ReminderKey(DeadlineKind.PLAN_END, end, "plan_end-7d", channel)
    return Item(number, key, NOW, NOW + timedelta(days=6), card)


def main(number: int) -> None:
    """Print the least of some rounds, since a busy machine only adds."""
    renderer = Renderer(Content.load(templates_dir()), load_rules(config_dir()), LINKS)

    def once(all_outgoing: Sequence[OutgoingMessage], to: str) -> float:
        begun = time.process_time()
        for each in all_outgoing:
            out = renderer.render(each, each.items, to, NOW).out
            contents(each, out)
            digest_of(out)
        return (time.process_time() - begun) / len(all_outgoing) * 1e6

    print(f"{'us of CPU a message':22}", *(f"{language:>8}" for language in Language))
    for channel, to in ((Channel.SMS, "+15550000001"), (Channel.EMAIL, "a@example.com")):
        for cards in (1, 5):
            figures = []
            for language in Language:
                all_outgoing = [outgoing(n, channel, language, cards) for n in range(1, number + 1)]
                figures.append(min(once(all_outgoing, to) for _ in range(ROUNDS)))
            row = f"{channel}, {cards} card" + "s" * (cards > 1)
            print(f"{row:22}", *(f"{figure:8.1f}" for figure in figures))


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 500)
