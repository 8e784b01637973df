"""Emptying the database after a test that commits.

Django truncates every table and makes all permissions anew, which costs half a second for a handful of rows. Here
only tables that have rows are emptied, by DELETE: foreign keys are checked at the commit, when all of it is gone.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connection, transaction
from django.test import TransactionTestCase

# What migrating made, the same for every test.
KEPT = {"django_migrations", "django_content_type", "auth_permission"}


@pytest.fixture(scope="session", autouse=True)
def emptied_by_deleting() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", _empty)
        yield


def _empty(case: TransactionTestCase) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        tables = sorted(set(connection.introspection.django_table_names()) - KEPT)
        looks = (f"(SELECT '{table}' FROM {_quoted(table)} LIMIT 1)" for table in tables)  # noqa: S608 - our own names
        cursor.execute(" UNION ALL ".join(looks))
        for (table,) in cursor.fetchall():
            cursor.execute(f"DELETE FROM {_quoted(table)}")  # noqa: S608


def _quoted(table: str) -> str:
    return connection.ops.quote_name(table)
