"""The schema of a ledger as the database describes it."""

from typing import Any

from sqlalchemy import Connection, inspect


def described(connection: Connection) -> dict[str, Any]:
    """Each table's columns, keys and indexes, whatever the order in which they were made."""
    seen = inspect(connection)
    return {
        table: {
            "columns": {each.pop("name"): repr(each) for each in _plain(seen.get_columns(table))},
            "key": seen.get_pk_constraint(table),
            "foreign keys": _plain(seen.get_foreign_keys(table)),
            "unique": _plain(seen.get_unique_constraints(table)),
            "checks": _plain(seen.get_check_constraints(table)),
            "indexes": sorted(map(_index, seen.get_indexes(table)), key=str),
        }
        for table in seen.get_table_names()
    }


def _plain(found: Any) -> list[dict[str, Any]]:
    return [dict(each) for each in found]


def _index(found: Any) -> dict[str, Any]:
    options = {name: str(value) for name, value in found.get("dialect_options", {}).items()}
    return {**found, "dialect_options": options}
