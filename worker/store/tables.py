"""The tables. SQL is the only truth; a queue message is a hint that carries ids from here."""

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    false,
    func,
    text,
    true,
)

from worker.store.types import Instant, RowId

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

books = Table(
    "books",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("name", String(100), nullable=False, unique=True),
    Column("signature", String(30), nullable=False),
    Column("language", String(10), nullable=False),
    Column("time_zone", String(64), nullable=False),
    Column("guardian_email", String(320)),
    Column("created_at", Instant, nullable=False),
    # Invented cards that come with the program: no provider is given what it owes.
    Column("sample", Boolean, nullable=False, server_default=false()),
    # Since when only the proof of its notices is kept.
    Column("removed_at", Instant),
)

holders = Table(
    "holders",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("book_id", ForeignKey("books.id"), nullable=False),
    Column("name", String(200), nullable=False),
    Column("language", String(10), nullable=False),
    Column("time_zone", String(64), nullable=False),
    Column("contact_phone", String(20)),
    Column("email", String(320)),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Index("ix_holders_book_id_name", "book_id", "name"),
    # For whoever writes to us: which cards an address serves.
    Index("ix_holders_contact_phone", "contact_phone"),
    Index("ix_holders_email", func.lower(Column("email"))),
)

cards = Table(
    "cards",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("book_id", ForeignKey("books.id"), nullable=False),
    Column("holder_id", ForeignKey("holders.id"), nullable=False, index=True),
    Column("kind", String(20), nullable=False),
    Column("operator", String(50), nullable=False),
    Column("msisdn", String(20)),
    Column("iccid", String(20)),
    Column("imsi", String(15)),
    Column("plan", String(200)),
    Column("plan_days", Integer),
    Column("plan_end", Date),
    Column("last_topup", Date),
    Column("balance", Numeric(12, 2)),
    Column("state", String(20), nullable=False),
    Column("time_zone", String(64), nullable=False),
    Column("note", Text),
    Column("paused", Boolean, nullable=False, server_default=false()),
    # A renewal that waits to be confirmed, and what holds again if it had no effect.
    Column("renewed_at", Instant),
    Column("receipt_ref", String(100)),
    Column("former_plan_end", Date),
    Column("former_last_topup", Date),
    # When its holder was asked whether it works; and what it said, once the answer stayed away.
    Column("asked_at", Instant),
    Column("claimed_plan_end", Date),
    Column("claimed_last_topup", Date),
    # What the card's row said when its book was last read, and the holder it was given then: what
    # an event has set since is newer than the same words. The holder's own are a fingerprint.
    Column("read_plan_end", Date),
    Column("read_last_topup", Date),
    Column("read_balance", Numeric(12, 2)),
    Column("read_holder", String(32)),
    Column("read_holder_id", RowId),
    # Since when the present deadlines are known: nothing before it was ever owed.
    Column("watched_since", Instant, nullable=False),
    # The next instant at which a check can have a new result; a claim moves it by a lease.
    Column("next_check_at", Instant),
    # Since when a check is owed that was handed out and is not done yet: a claim moves the other.
    Column("check_since", Instant),
    # Since when a check is asked for that is not handed out yet: the card is new, or was changed.
    # It is due whatever the clock says, be it a replayed day of the past.
    Column("check_asked_at", Instant),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    # Since when it is only what the proof of its notices hangs on, without any number.
    Column("removed_at", Instant),
    UniqueConstraint("book_id", "iccid"),
    Index("ix_cards_book_id_msisdn", "book_id", "msisdn"),
    Index("ix_cards_msisdn", "msisdn"),
    # Partial, so that a tick costs what is due and closed cards cost nothing.
    Index(
        "ix_cards_next_check_at",
        "next_check_at",
        postgresql_where=Column("next_check_at").is_not(None),
        sqlite_where=Column("next_check_at").is_not(None),
    ),
    Index(
        "ix_cards_check_since",
        "check_since",
        postgresql_where=Column("check_since").is_not(None),
        sqlite_where=Column("check_since").is_not(None),
    ),
    Index(
        "ix_cards_check_asked_at",
        "check_asked_at",
        postgresql_where=Column("check_asked_at").is_not(None),
        sqlite_where=Column("check_asked_at").is_not(None),
    ),
    # For people who ask for them: few among those that are active, which never enter these.
    Index(
        "ix_cards_book_id_state_id",
        *("book_id", "state", "id"),
        postgresql_where=Column("state") != "active",
        sqlite_where=Column("state") != "active",
    ),
    Index(
        "ix_cards_book_id_id_paused",
        *("book_id", "id"),
        postgresql_where=Column("paused").is_(true()),
        sqlite_where=Column("paused").is_(true()),
    ),
)

_TROUBLED = Column("state").in_(
    ["cancelled", "failed", "held", "retryable", "undelivered", "unknown"]
)

messages = Table(
    "messages",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("book_id", ForeignKey("books.id"), nullable=False),
    Column("holder_id", ForeignKey("holders.id"), nullable=False, index=True),
    Column("channel", String(10), nullable=False),
    # Who reads it: the holder, or the guardian, whom a row of ``holders`` stands for.
    Column("audience", String(10), nullable=False, server_default="holder"),
    Column("state", String(20), nullable=False),
    Column("next_attempt_at", Instant, nullable=False),
    # When the scheduler must look again whatever happened: to send, to repeat a hint that was
    # lost, at the end of a lease, to settle an unknown. NULL once the message has ended.
    Column("wake_at", Instant),
    Column("useful_until", Instant, nullable=False),
    Column("attempts", Integer, nullable=False),
    # How often in a row it was certainly not sent: what the pause until the next try grows by.
    Column("tries", Integer, nullable=False, server_default="0"),
    # For people: what it waits for, or how it ended. What decides is in the two after it.
    Column("reason", String(100)),
    # What keeps it from being sent, where it is more than its time (core.reminders.Obstacle).
    Column("obstacle", String(20)),
    # The code of the fault for which it is held: by that breaker, or by itself.
    Column("fault", String(100)),
    Column("provider_id", String(100)),
    Column("subject", Text),
    Column("body", Text),
    Column("segments", Integer),
    Column("created_at", Instant, nullable=False),
    Column("sent_at", Instant),
    Column("delivered_at", Instant),
    Index(
        "ix_messages_wake_at",
        "wake_at",
        postgresql_where=Column("wake_at").is_not(None),
        sqlite_where=Column("wake_at").is_not(None),
    ),
    # Not of those that wait: a server that knows little of the table yet would take "has none" for
    # rare, and read all of them.
    Index(
        "ix_messages_provider_id",
        "provider_id",
        postgresql_where=Column("provider_id").is_not(None),
        sqlite_where=Column("provider_id").is_not(None),
    ),
    # For people who ask what did not arrive: few among many that did.
    Index(
        "ix_messages_state_id",
        "state",
        "id",
        postgresql_where=Column("state").in_(["cancelled", "failed", "undelivered"]),
        sqlite_where=Column("state").in_(["cancelled", "failed", "undelivered"]),
    ),
    # The same by book, with those that wait for somebody: a message that goes well never enters.
    Index(
        "ix_messages_book_id_state_id",
        *("book_id", "state", "id"),
        postgresql_where=_TROUBLED,
        sqlite_where=_TROUBLED,
    ),
    # For those of a book that have ended, the newest first.
    Index(
        "ix_messages_book_id_id_ended",
        *("book_id", "id"),
        postgresql_where=Column("wake_at").is_(None),
        sqlite_where=Column("wake_at").is_(None),
    ),
    # For erasing what has ended and still has its text.
    Index(
        "ix_messages_next_attempt_at",
        "next_attempt_at",
        postgresql_where=Column("body").is_not(None) & Column("wake_at").is_(None),
        sqlite_where=Column("body").is_not(None) & Column("wake_at").is_(None),
    ),
)

_UNREACHED = Column("state").in_(["suppressed", "missed"]) & (Column("audience") == "holder")

reminders = Table(
    "reminders",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("card_id", ForeignKey("cards.id"), nullable=False),
    Column("deadline", String(40), nullable=False),
    Column("deadline_on", Date, nullable=False),
    Column("window", String(40), nullable=False),
    Column("channel", String(10), nullable=False),
    Column("audience", String(10), nullable=False, server_default="holder"),
    Column("due_at", Instant, nullable=False),
    # Since when the notice is owed, where a check that came late made it due only after that.
    Column("owed_at", Instant),
    Column("useful_until", Instant, nullable=False),
    Column("state", String(20), nullable=False),
    Column("reason", String(100)),
    Column("message_id", ForeignKey("messages.id"), index=True),
    Column("created_at", Instant, nullable=False),
    Column("ended_at", Instant),
    # One notice owed, once: this key absorbs every race.
    UniqueConstraint(
        *("card_id", "deadline", "deadline_on", "window", "channel", "audience"),
        name="uq_reminders_notice",
    ),
    # For the account of a period, a page at a time: a whole morning is due at one instant, and
    # without the second column each page sorts all of it.
    Index("ix_reminders_due_at_id", "due_at", "id"),
    # For the alarms: those that were missed since the last look.
    Index(
        "ix_reminders_ended_at",
        "ended_at",
        postgresql_where=Column("state") == "missed",
        sqlite_where=Column("state") == "missed",
    ),
    # For those who ask whom nobody has reached.
    Index(
        "ix_reminders_due_at_unreached",
        "due_at",
        postgresql_where=_UNREACHED,
        sqlite_where=_UNREACHED,
    ),
)

attempts = Table(
    "attempts",
    metadata,
    # Travels to the provider (callback address, custom_args), so that an answer finds its row.
    Column("id", Uuid, primary_key=True),
    Column("message_id", ForeignKey("messages.id"), nullable=False, index=True),
    Column("address", String(320), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Column("outcome", String(20)),
    Column("code", String(100)),
    # How far it has come by all that is known of it, receipts too (core.reports.Phase).
    Column("phase", String(10), nullable=False, server_default="open"),
    Column("provider_id", String(100), unique=True),
    # Who was called, and from which of our senders: what a breaker and a pace are kept for.
    Column("provider", String(20)),
    Column("sender", String(100)),
    CheckConstraint("(phase = 'open') = (provider_id IS NULL)", name="ck_attempts_phase"),
    # For erasing addresses: those that are still there. An erased one is an empty text, which says
    # what it is, and not NULL: each old row would have to be written once more for that.
    Index(
        "ix_attempts_started_at",
        "started_at",
        postgresql_where=Column("address") != "",
        sqlite_where=Column("address") != "",
    ),
    # For daily caps.
    Index("ix_attempts_address_started_at", "address", "started_at"),
)

receipts = Table(
    "receipts",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("provider", String(20), nullable=False),
    Column("event_id", String(200), nullable=False),
    Column("attempt_id", Uuid, index=True),
    Column("provider_id", String(100), index=True),
    Column("status", String(30), nullable=False),
    Column("code", String(100)),
    Column("received_at", Instant, nullable=False),
    Column("applied_at", Instant),
    # When it happened, as the provider says.
    Column("occurred_at", Instant),
    UniqueConstraint("provider", "event_id"),
    # Parked ones only: those that overtook the row they belong to.
    Index(
        "ix_receipts_received_at",
        "received_at",
        postgresql_where=Column("applied_at").is_(None),
        sqlite_where=Column("applied_at").is_(None),
    ),
)

suppressions = Table(
    "suppressions",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("channel", String(10), nullable=False),
    Column("address", String(320), nullable=False),
    # The card that it is about; NULL for everything that goes to the address. No foreign key: what
    # is about one card goes with it (store/removal.py), and no card is deleted by itself.
    Column("card_id", RowId),
    Column("reason", String(100), nullable=False),
    # Who said so: the holder (word, link), the provider, a person at the command line, or an event
    # of the card.
    Column("source", String(20), nullable=False, server_default="provider"),
    Column("created_at", Instant, nullable=False),
    # Lifted suppressions stay as proof; they hold no message back.
    Column("lifted_at", Instant),
    Column("lifted_reason", String(200)),
    # When a provider's word about an address counts no more, and it is tried again.
    Column("expires_at", Instant),
    UniqueConstraint("channel", "address", "card_id"),
    # That key takes no two NULLs for the same: for everything an address is suppressed once.
    Index(
        "uq_suppressions_channel_address",
        "channel",
        "address",
        unique=True,
        postgresql_where=Column("card_id").is_(None),
        sqlite_where=Column("card_id").is_(None),
    ),
    CheckConstraint("card_id > 0", name="ck_suppressions_card_id"),
    # For ending those in time, and for telling of those that are new.
    Index(
        "ix_suppressions_expires_at",
        "expires_at",
        postgresql_where=Column("expires_at").is_not(None) & Column("lifted_at").is_(None),
        sqlite_where=Column("expires_at").is_not(None) & Column("lifted_at").is_(None),
    ),
)

# What holders wrote, each message once: a signed request that is brought again never expires.
inbound = Table(
    "inbound",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("provider", String(20), nullable=False),
    Column("provider_id", String(100), nullable=False),
    Column("address", String(320), nullable=False),
    Column("meaning", String(20), nullable=False),
    # Only of what somebody has to read, without numbers and addresses.
    Column("text", String(300)),
    # On the provider's clock, where it tells: of two words the one said later counts.
    Column("said_at", Instant, nullable=False),
    Column("received_at", Instant, nullable=False),
    UniqueConstraint("provider", "provider_id"),
    Index("ix_inbound_address", "address", "said_at"),
    Index("ix_inbound_received_at", "received_at"),
)

# One row while a restored database waits to learn what was sent since its backup.
quarantine = Table(
    "quarantine",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("since", Instant, nullable=False),
    Column("begun_at", Instant, nullable=False),
)

# Open breakers only: a row is there while a configuration fault keeps its messages held.
breakers = Table(
    "breakers",
    metadata,
    # Channel, provider, country and sender: whom the fault concerns.
    Column("key", String(120), primary_key=True),
    Column("channel", String(10), nullable=False),
    Column("code", String(100), nullable=False),
    Column("opened_at", Instant, nullable=False),
    Column("probe_at", Instant, nullable=False),
    Column("probe_message_id", RowId),
    Column("failures", Integer, nullable=False),
    # Was it shown by a receipt? Then a call that is accepted does not show its end.
    Column("behind", Boolean, nullable=False, server_default=false()),
)

# What each book used on a UTC day: caps survive restarts because they are counted here.
usage = Table(
    "usage",
    metadata,
    Column("book_id", ForeignKey("books.id"), primary_key=True),
    Column("day", Date, primary_key=True),
    # As it is told (core.cards.Destination): what guardians are sent is counted apart.
    Column("channel", String(10), primary_key=True),
    Column("messages", Integer, nullable=False),
    Column("segments", Integer, nullable=False),
    Column("spend", Numeric(14, 6), nullable=False),
    Index("ix_usage_day", "day"),
)

# Checks of all cards that are under way.
rechecks = Table(
    "rechecks",
    metadata,
    Column("id", RowId, primary_key=True),
    # Of which book; NULL for all of them.
    Column("book_id", ForeignKey("books.id"), unique=True),
    # The last card that was handed out, and the last one there was when it was asked for.
    Column("after_id", RowId, nullable=False),
    Column("until_id", RowId, nullable=False),
    Column("asked_at", Instant, nullable=False),
    # One for all books at most.
    Index(
        "uq_rechecks_all_books",
        text("(book_id IS NULL)"),
        unique=True,
        postgresql_where=text("book_id IS NULL"),
        sqlite_where=text("book_id IS NULL"),
    ),
)

# One row for each digest that was taken on: of several schedulers one sends it.
digests = Table(
    "digests",
    metadata,
    Column("kind", String(30), primary_key=True),
    Column("at", Instant, primary_key=True),
)

# Cards that were renewed after a notice which had arrived: the last one before that.
saves = Table(
    "saves",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("book_id", ForeignKey("books.id"), nullable=False),
    Column("card_id", ForeignKey("cards.id"), nullable=False),
    # When it was renewed.
    Column("at", Instant, nullable=False),
    Column("deadline", String(40), nullable=False),
    Column("window", String(40), nullable=False),
    Column("channel", String(10), nullable=False),
    Column("language", String(10), nullable=False),
    Column("days_before", Integer, nullable=False),
    # By which door the renewal came in (core.actor.Source), if that is known.
    Column("source", String(10)),
    # Somebody has said since that it had no effect.
    Column("failed", Boolean, nullable=False, server_default=false()),
    UniqueConstraint("card_id", "at"),
    Index("ix_saves_book_id_at", "book_id", "at"),
    Index("ix_saves_at", "at"),
)

card_events = Table(
    "card_events",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("card_id", ForeignKey("cards.id"), nullable=False, index=True),
    Column("at", Instant, nullable=False),
    Column("event", String(30), nullable=False),
    Column("detail", JSON, nullable=False),
    # Until when it can be undone, and what was before: both are emptied when that time is over.
    Column("undo_until", Instant),
    Column("before", JSON(none_as_null=True)),
    # When it was: it has not happened, then, for whoever asks what did.
    Column("undone_at", Instant),
    # For checks, which leave alone what can still be undone; few among all that ever happened.
    Index(
        "ix_card_events_undo_until",
        "undo_until",
        postgresql_where=Column("undo_until").is_not(None),
        sqlite_where=Column("undo_until").is_not(None),
    ),
)

# The deadlines of each card that is watched, as days: what pages of the console list cards by. It
# is written only where a date changes (store.card_index), so an ordinary check costs nothing here.
# Without a foreign key: each row would look up, and lock, its card once more.
outlook = Table(
    "outlook",
    metadata,
    Column("card_id", RowId, primary_key=True, autoincrement=False),
    # Empty of the last row of each card, on the last day there is: whoever has no deadline before
    # him, or a card that is closed, is found at the end.
    Column("deadline", String(40), primary_key=True),
    Column("book_id", RowId, nullable=False),
    Column("on_day", Date, nullable=False),
    # The day of the card's deadline before this one: after it, this is its next.
    Column("after_day", Date),
    Index(
        "ix_outlook_book_id_on_day_card_id",
        *("book_id", "on_day", "card_id"),
        postgresql_include=["deadline", "after_day"],
    ),
)

# What a card can be searched by (core.search_terms), compared byte by byte whatever the language
# of the database, so that a prefix is a range.
finder = Table(
    "finder",
    metadata,
    Column("book_id", RowId, primary_key=True, autoincrement=False),
    Column(
        "term",
        String(40).with_variant(String(40, collation="C"), "postgresql"),
        primary_key=True,
    ),
    Column("card_id", RowId, primary_key=True, autoincrement=False, index=True),
)

# How far cards that were there before have been entered in the two tables above, and with which
# dates of the operators.
fills = Table(
    "fills",
    metadata,
    Column("name", String(30), primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("after_id", RowId, nullable=False),
    Column("until_id", RowId, nullable=False),
)

# The account of a day in sums, made anew while it can change. ``channel`` is as it is told
# (core.cards.Destination); of those that a provider took, how many within so many seconds.
tallies = Table(
    "tallies",
    metadata,
    Column("day", Date, primary_key=True),
    Column("book_id", RowId, primary_key=True, autoincrement=False),
    Column("channel", String(10), primary_key=True),
    Column("verdict", String(20), primary_key=True),
    Column("state", String(20), primary_key=True),
    Column("window", String(40), primary_key=True),
    Column("reason", String(100), primary_key=True),
    Column("notices", Integer, nullable=False),
    Column("within_5", Integer, nullable=False),
    Column("within_60", Integer, nullable=False),
    Column("within_300", Integer, nullable=False),
    Column("within_3600", Integer, nullable=False),
    Column("slowest", Integer, nullable=False),
    Index("ix_tallies_book_id_day", "book_id", "day"),
)

# When the sums of a day were made, and from which instants on and up to which.
tally_days = Table(
    "tally_days",
    metadata,
    Column("day", Date, primary_key=True),
    Column("begins_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False),
    Column("made_at", Instant, nullable=False),
)

# What asks for somebody, from when until when, and who has seen it. Of one book, or of none.
alarms = Table(
    "alarms",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("kind", String(40), nullable=False),
    Column("subject", String(120), nullable=False, server_default=""),
    # 0 for what belongs to no book.
    Column("book_id", RowId, nullable=False, server_default="0"),
    Column("number", Integer, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("last_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Column("seen_by", String(100)),
    Column("seen_at", Instant),
    # One that is open, however many look.
    Index(
        "uq_alarms_open",
        *("kind", "subject", "book_id"),
        unique=True,
        postgresql_where=Column("ended_at").is_(None),
        sqlite_where=Column("ended_at").is_(None),
    ),
    Index("ix_alarms_ended_at", "ended_at"),
)

# People who look at the console. ``role`` holds in every book, those to come too; without it a
# person has what ``memberships`` say.
users = Table(
    "users",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("name", String(100), nullable=False, unique=True),
    # In PHC form; without one only a link of one use signs him in.
    Column("password", String(200)),
    Column("role", String(10)),
    Column("language", String(10), nullable=False),
    Column("time_zone", String(64), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("disabled_at", Instant),
)

memberships = Table(
    "memberships",
    metadata,
    Column("user_id", ForeignKey("users.id"), primary_key=True),
    Column("book_id", ForeignKey("books.id"), primary_key=True),
    Column("role", String(10), nullable=False),
)

# Who is signed in. The token is in the browser alone: here is its SHA-256.
sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("user_id", ForeignKey("users.id"), nullable=False, index=True),
    Column("created_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),
    # When he last showed who he is, which some acts ask for again.
    Column("confirmed_at", Instant, nullable=False),
    Index("ix_sessions_seen_at", "seen_at"),
)

# Links that sign a person in once; a used one is gone.
sign_in_links = Table(
    "sign_in_links",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("user_id", ForeignKey("users.id"), nullable=False, index=True),
    Column("expires_at", Instant, nullable=False, index=True),
)

# How often something may still be tried: a row for a name or an address that was tried lately.
rate_buckets = Table(
    "rate_buckets",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("left", Float, nullable=False),
    Column("at", Instant, nullable=False, index=True),
)

# What people did, written in the transaction of the deed. Values stand nowhere in it.
audit = Table(
    "audit",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("at", Instant, nullable=False),
    # The name stays readable when its user is gone; without one it was the command line.
    Column("user_id", ForeignKey("users.id")),
    Column("name", String(100), nullable=False),
    Column("action", String(40), nullable=False),
    Column("book_id", ForeignKey("books.id")),
    Column("subject", String(20), nullable=False),
    Column("subject_id", RowId),
    Column("fields", JSON, nullable=False),
    Column("address", String(45)),
    # Of the form that asked for it: one sent twice is done once.
    Column("form_id", String(32), unique=True),
    Index("ix_audit_book_id_id", "book_id", "id"),
    Index("ix_audit_subject", "subject", "subject_id", "id"),
)

# Long work that somebody asked for: what it is, how far it is, and what came of it.
jobs = Table(
    "jobs",
    metadata,
    Column("id", RowId, primary_key=True),
    # No foreign key: a book that is removed meanwhile takes its jobs along (store/removal.py), and
    # one that is new has none yet. NULL: of all books.
    Column("book_id", RowId),
    Column("kind", String(20), nullable=False),
    Column("state", String(20), nullable=False),
    Column("asked_by", String(100), nullable=False),
    Column("asked_at", Instant, nullable=False),
    Column("options", JSON, nullable=False),
    # A file that was sent, and one that came of it: gone a day after the end.
    Column("input", LargeBinary),
    Column("output", LargeBinary),
    Column("output_name", String(200)),
    Column("result", JSON),
    # Why it failed, and what to do.
    Column("error", JSON),
    Column("done", Integer, nullable=False, server_default="0"),
    Column("total", Integer, nullable=False, server_default="0"),
    Column("step", String(50), nullable=False, server_default=""),
    Column("starts", Integer, nullable=False, server_default="0"),
    # When it is to be looked at again: at once, or when the lease of its worker is over.
    Column("wake_at", Instant),
    # What a worker writes holds only while the job is its own.
    Column("lease", Uuid),
    Column("ended_at", Instant),
    Column("erase_at", Instant),
    Index(
        "ix_jobs_wake_at",
        "wake_at",
        postgresql_where=Column("wake_at").is_not(None),
        sqlite_where=Column("wake_at").is_not(None),
    ),
    Index("ix_jobs_book_id_id", "book_id", "id"),
)
