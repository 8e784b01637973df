"""What a page asks the database, and how the database would find the answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

SOME_THOUSAND = 3000


@dataclass
class Asked:
    """Statements with their parameters, in the order they were sent."""

    statements: list[tuple[str, Any]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.statements)

    def complaints(self) -> list[str]:
        """Of every statement: whole tables that are read or sorted."""
        sizes = table_sizes()
        return [wrong for statement in self.statements for wrong in _complaints(*statement, sizes)]


@contextmanager
def watching() -> Iterator[Asked]:
    asked = Asked()

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if not sql.startswith(("SAVEPOINT", "RELEASE", "ROLLBACK")):
            asked.statements.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        yield asked


def table_sizes() -> dict[str, int]:
    """About how many rows each table holds, as the planner believes."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname, reltuples::bigint FROM pg_class WHERE relkind IN ('r', 'p')")
        return dict(cursor.fetchall())


def _complaints(sql: str, params: Any, sizes: dict[str, int]) -> list[str]:
    if not sql.lstrip("( ").upper().startswith(("SELECT", "WITH", "UPDATE", "DELETE")):
        return []
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", params)
        [[found]] = cursor.fetchall()
    plan = (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]
    return [f"{wrong}: …{sql[sql.find(' FROM ') :][:500]}" for wrong in _faults(plan, sizes)]


def _faults(plan: dict[str, Any], sizes: dict[str, int]) -> Iterator[str]:
    kind, table = plan["Node Type"], plan.get("Relation Name", "")
    if kind == "Seq Scan" and sizes.get(table, 0) > SOME_THOUSAND:
        yield f"{table} is read from end to end ({sizes[table]:,} rows)"
    below = plan.get("Plans", [])
    if kind == "Sort" and any(child["Plan Rows"] > SOME_THOUSAND for child in below):
        yield f"{below[0]['Plan Rows']:,} rows are sorted by {plan['Sort Key']}"
    for child in below:
        yield from _faults(child, sizes)
