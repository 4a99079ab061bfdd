"""How many bytes each table and index takes, and what that is for a card and for a notice."""

from typing import Any

from sqlalchemy import Engine, text

_TABLES = """
SELECT c.relname AS name, c.reltuples::bigint AS rows, pg_table_size(c.oid) AS bytes,
    pg_total_relation_size(c.oid) AS total
FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
    AND c.relname NOT LIKE 'scale%' AND c.reltuples > 0 ORDER BY total DESC
"""
_INDEXES = """
SELECT t.relname AS of_table, i.relname AS name, pg_relation_size(i.oid) AS bytes
FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid
WHERE t.relnamespace = 'public'::regnamespace AND t.relname NOT LIKE 'scale%'
ORDER BY bytes DESC
"""
# What a card is stored in, and what a notice that was sent and confirmed is stored in.
_OF_CARD = ("cards", "holders", "card_events")
_OF_NOTICE = ("reminders", "messages", "attempts", "receipts")


def sizes(engine: Engine) -> dict[str, Any]:
    """``tables`` and ``indexes`` in bytes, and what they come to."""
    with engine.connect() as conn:
        tables = [dict(row) for row in conn.execute(text(_TABLES)).mappings()]
        indexes = [dict(row) for row in conn.execute(text(_INDEXES)).mappings() if row["bytes"]]
        database = conn.execute(text("SELECT pg_database_size(current_database())")).scalar_one()
    total = {row["name"]: row for row in tables}
    cards, notices = total["cards"]["rows"], total.get("reminders", {}).get("rows", 0)
    of_cards = sum(total[name]["total"] for name in _OF_CARD if name in total)
    of_notices = sum(total[name]["total"] for name in _OF_NOTICE if name in total)
    return {
        "database_bytes": database,
        "bytes_per_card": round(of_cards / cards),
        "bytes_per_notice": round(of_notices / notices) if notices else None,
        "tables": tables,
        "indexes": [row for row in indexes if row["bytes"] > 1 << 20],
    }
