"""The texts of the baselines: the same templates, rendered by the same code as ours."""

from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any

from worker.content.compose import compose
from worker.content.render import Content
from worker.core.cards import Card, CardState, Channel, Holder, Kind, Language
from worker.core.deadlines import DeadlineKind
from worker.core.recheck import Item
from worker.core.reminders import ReminderKey
from worker.core.rules import Rules
from worker.paths import config_dir, templates_dir
from worker.setup.load_rules import load_rules

WINDOW = "plan_end-7d"


@cache
def parts() -> tuple[Content, Rules]:
    """Compiled templates and rules, once a process."""
    return Content.load(templates_dir()), load_rules(config_dir())


def payload(row: Any, now: datetime) -> dict[str, str]:
    """What to send for a bench card: ``to text`` and, of an email, ``subject html``."""
    content, rules = parts()
    card = _card(row)
    holder = Holder(row.id, row.name, Language(row.language), "America/Lima", row.phone, row.email)
    channel = Channel.SMS if row.phone else Channel.EMAIL
    key = ReminderKey(DeadlineKind.PLAN_END, row.plan_end, WINDOW, channel)
    item = Item(1, key, now, now + timedelta(days=6), card, told=holder)
    if row.phone:
        language = rules.routes.route(row.phone).language_for(holder.language)
        letter = compose([item], holder, "Vigencia", rules, now, language)
        return {"to": row.phone, "text": content.sms(letter).text}
    email = content.email(compose([item], holder, "Vigencia", rules, now))
    return {"to": row.email, "text": email.text, "subject": email.subject, "html": email.html}


def _card(row: Any) -> Card:
    end: date = row.plan_end
    return Card(
        id=row.id, book_id=1, holder_id=row.id, kind=Kind.DATA, operator=row.operator, msisdn=None,
        iccid=row.iccid, plan="30 dias", plan_days=30, plan_end=end,
        last_topup=end - timedelta(days=30), balance=None, state=CardState.ACTIVE,
        time_zone="America/Lima", watched_since=datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip
