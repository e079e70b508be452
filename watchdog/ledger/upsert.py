"""Writing a row that may be there already."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Table, insert, update


def upsert(connection: Connection, table: Table, values: Mapping[str, Any]) -> None:
    """Update the row with that primary key, or insert it where there is none; what `values` do not
    name stays as it is. The ledger's lock is held: nobody else inserts it in between."""
    same = [column == values[column.name] for column in table.primary_key]
    if not connection.execute(update(table).where(*same), values).rowcount:
        connection.execute(insert(table), values)
