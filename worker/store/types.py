"""Column types that mean the same on SQLite and PostgreSQL."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    BindParameter,
    ColumnElement,
    DateTime,
    Integer,
    cast,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine, UserDefinedType


class Instant(TypeDecorator[datetime]):
    """A point in time, always with a time zone in Python and UTC in the database.

    SQLite has no such type: there it is text in UTC that sorts as time does.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Refuse a naive time: it would be read as another instant elsewhere."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant needs a time zone")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the time zone back."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


# SQLite numbers rows by itself only for a column that is exactly INTEGER PRIMARY KEY.
RowId = BigInteger().with_variant(Integer, "sqlite")


def array_of(item: TypeEngine[Any]) -> TypeEngine[Any]:
    """The type of a parameter that is a list of ``item``, on PostgreSQL."""
    # A driver has its own idea of what JSON is as a parameter.
    return ARRAY(item) if isinstance(item, JSON) else _ArrayText(item)


class _ArrayText(UserDefinedType[Sequence[Any]]):
    """An array as the text that stands for it: the driver takes a microsecond for each member, and
    most members of a column are alike.

    Source of the form: https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO
    """

    cache_ok = True

    def __init__(self, item: TypeEngine[Any]) -> None:
        self.item = item

    def bind_expression(self, bindvalue: BindParameter[Any]) -> ColumnElement[Any]:
        """Tell the server what the text is."""
        return cast(bindvalue, ARRAY(self.item))

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], str]:
        """See ``TypeEngine``."""
        process = self.item.dialect_impl(dialect).bind_processor(dialect)

        def text(values: Sequence[Any]) -> str:
            texts: dict[Any, str] = {}
            for value in values:
                if value not in texts:
                    texts[value] = _member(process(value) if process else value)
            return f"{{{','.join([texts[value] for value in values])}}}"

        return text


def _member(value: Any) -> str:
    if value is None:
        return "NULL"
    if type(value) is int:
        return str(value)
    quoted = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}"'
