"""Many rows at once, in statements of bounded size: a book may have 100,000 cards.

On PostgreSQL rows travel as one array a column: a statement with a parameter for each value costs
the driver more time than the server, and one statement a row costs round trips.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import (
    JSON,
    BindParameter,
    Column,
    ColumnElement,
    Connection,
    Select,
    String,
    Table,
    TableValuedAlias,
    Update,
    Uuid,
    bindparam,
    column,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.types import TypeEngine

from worker.store.types import array_of

T = TypeVar("T")
Rows = Sequence[Mapping[str, Any]]

BATCH = 5_000


def batched(items: Iterable[T], size: int = BATCH) -> Iterator[list[T]]:
    """``items`` in lists of ``size``; no statement has more parameters than a server takes."""
    source = iter(items)
    while batch := list(islice(source, size)):
        yield batch


def insert_many(conn: Connection, table: Table, rows: Iterable[Mapping[str, Any]]) -> list[int]:
    """Insert ``rows``, which have the same keys; returns their ids in order."""
    ids: list[int] = []
    for batch in batched(rows):
        if conn.dialect.name == "postgresql":
            statement = _insertion(table, tuple(batch[0]), numbered=True)
            # Numbered in the order of the arrays, but not promised to be returned so.
            ids += sorted(conn.execute(statement, array_values(batch)).scalars())
        else:
            # One writer at a time, and no number left out: the last one tells them all.
            names, values = stored_rows(conn, table, batch)
            marks = ", ".join("?" * len(names))
            quoted = ", ".join(f'"{name}"' for name in names)
            into = f'INSERT INTO "{table.name}" ({quoted}) VALUES ({marks})'  # noqa: S608
            conn.exec_driver_sql(into, values)
            last = conn.exec_driver_sql("SELECT last_insert_rowid()").scalar_one()
            ids += range(last - len(values) + 1, last + 1)
    return ids


def add_many(conn: Connection, table: Table, rows: Iterable[Mapping[str, Any]]) -> None:
    """Insert ``rows``, which have the same keys, and ask nothing back."""
    for batch in batched(rows):
        if conn.dialect.name == "postgresql":
            conn.execute(_insertion(table, tuple(batch[0])), array_values(batch))
        else:
            conn.execute(insert(table), batch)


def update_many(
    conn: Connection, table: Table, rows: Iterable[Mapping[str, Any]], **same: Any
) -> None:
    """Update rows of ``table`` by ``row_id``; each row's other keys are the columns to set,
    ``same`` those that are the same for all."""
    of_all = {f"same_{name}": value for name, value in same.items()}
    for batch in batched(rows):
        alike: dict[tuple[str, ...], list[Mapping[str, Any]]] = defaultdict(list)
        for row in batch:
            alike[tuple(row)].append(row)
        for names, group in alike.items():
            if conn.dialect.name == "postgresql":
                statement = _update_from_arrays(table, names, tuple(same))
                conn.execute(statement, array_values(group) | of_all)
            else:
                by_id = _update_by_id(table, names, tuple(same))
                conn.execute(by_id, [{**row, **of_all} for row in group])


# Building a statement takes longer than sending it: each is built once.


@cache
def _insertion(table: Table, names: tuple[str, ...], *, numbered: bool = False) -> Any:
    statement = insert(table).from_select(list(names), as_arrays(table, names))
    return statement.returning(table.c.id) if numbered else statement


@cache
def _update_from_arrays(table: Table, names: tuple[str, ...], same: tuple[str, ...]) -> Update:
    told = _unnested(table, names)
    values = {name: told.c[name] for name in names if name != "row_id"}
    by_id = update(table).where(table.c.id == told.c.row_id)
    return by_id.values(values | _same(table, same))


@cache
def _update_by_id(table: Table, names: tuple[str, ...], same: tuple[str, ...]) -> Update:
    own = {name: bindparam(name, type_=table.c[name].type) for name in names if name != "row_id"}
    by_id = update(table).where(table.c.id == bindparam("row_id"))
    return by_id.values(own | _same(table, same))


def _same(table: Table, names: Sequence[str]) -> dict[str, BindParameter[Any]]:
    return {name: bindparam(f"same_{name}", type_=table.c[name].type) for name in names}


def among(
    conn: Connection, wanted: ColumnElement[Any], values: Collection[Any]
) -> ColumnElement[bool]:
    """``wanted IN values`` as one parameter: with one for each the text is long, and read anew."""
    if conn.dialect.name == "postgresql":
        return wanted == func.any(bindparam(None, list(values), type_=array_of(wanted.type)))
    if isinstance(wanted.type, Uuid):
        return wanted.in_(values)
    return wanted.in_(select(listed(conn, values, wanted.type).c.value))


def listed(conn: Connection, values: Collection[Any], type_: TypeEngine[Any]) -> TableValuedAlias:
    """``values`` as a table with the column ``value``, in one parameter, to be joined."""
    told = column("value", type_)
    if conn.dialect.name == "postgresql":
        array = bindparam(None, list(values), type_=array_of(type_))
        return func.unnest(array).table_valued(told).render_derived()
    return func.json_each(json.dumps(list(values))).table_valued(told)


def as_stored(conn: Connection, wanted: Column[Any], values: Iterable[Any]) -> list[Any]:
    """``values`` of the column ``wanted`` as the driver takes them, for a statement in plain SQL:
    for each of them the toolkit needs longer than the database."""
    process = wanted.type.dialect_impl(conn.dialect).bind_processor(conn.dialect)
    if process is None:
        return list(values)
    if isinstance(wanted.type, JSON):
        return [process(value) for value in values]
    given = list(values)
    found = {value: process(value) for value in set(given)}  # most are alike
    return [found[value] for value in given]


def stored_rows(
    conn: Connection, table: Table, rows: Rows
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """The columns of ``rows``, and their values as the driver takes them."""
    names = list(rows[0])
    columns = (as_stored(conn, table.c[name], [row[name] for row in rows]) for name in names)
    return names, list(zip(*columns, strict=True))


@cache
def as_source(dialect: str, table: Table, names: tuple[str, ...]) -> Select[Any]:
    """A query that yields rows of the columns ``names`` from ``source_values``, in order; of texts
    only such as we make ourselves, for on SQLite they travel as JSON."""
    if dialect == "postgresql":
        return as_arrays(table, names)
    each = func.json_each(bindparam("rows", type_=String)).table_valued("key", "value")
    cells = (func.json_extract(each.c.value, f"$[{n}]") for n in range(len(names)))
    return select(*cells).order_by(each.c.key)


def source_values(conn: Connection, table: Table, rows: Rows) -> dict[str, Any]:
    """The parameters of ``as_source``."""
    if conn.dialect.name == "postgresql":
        return array_values(rows)
    return {"rows": json.dumps(stored_rows(conn, table, rows)[1])}


@cache
def as_arrays(table: Table, names: tuple[str, ...]) -> Select[Any]:
    """A query that yields rows of the columns ``names`` from ``array_values``, in order."""
    told = _unnested(table, names)
    return select(*(told.c[name] for name in names)).order_by(told.c.ordinality)


def array_values(rows: Rows) -> dict[str, list[Any]]:
    """The parameters of ``as_arrays``: one list a column."""
    return {f"all_{name}": [row[name] for row in rows] for name in rows[0]}


def _unnested(table: Table, names: Sequence[str]) -> TableValuedAlias:
    types = {name: table.c["id" if name == "row_id" else name].type for name in names}
    arrays = (bindparam(f"all_{name}", type_=array_of(types[name])) for name in names)
    columns = (column(name, types[name]) for name in names)
    told = func.unnest(*arrays).table_valued(*columns, with_ordinality="ordinality")
    return told.render_derived()
