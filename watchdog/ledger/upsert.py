"""Writes rows that may exist already."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from sqlalchemy import Connection, Executable, Table
from sqlalchemy.dialects import sqlite


def upsert(connection: Connection, table: Table, *rows: Mapping[str, Any]) -> None:
    """Update the rows with those primary keys, or insert them where there are none, in one
    statement. Columns that the rows do not name stay unchanged. All rows must name the same
    columns."""
    if rows:
        connection.execute(_statement(connection.dialect.name, table, tuple(rows[0])), rows)


@cache
def _statement(dialect: str, table: Table, names: tuple[str, ...]) -> Executable:
    insert: Any = sqlite.insert
    if dialect == "postgresql":
        # Slow to import, and needed only for PostgreSQL.
        from sqlalchemy.dialects import postgresql

        insert = postgresql.insert
    new = insert(table)
    keys = [column.name for column in table.primary_key]
    changed = {name: new.excluded[name] for name in names if name not in keys}
    found: Executable = new.on_conflict_do_update(index_elements=keys, set_=changed)
    return found
