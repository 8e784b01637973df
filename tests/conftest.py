"""Fixtures that every test folder shares. Servers are started by tests/services.py."""

from collections.abc import Iterator
from datetime import date
from unittest import mock

import pytest
from pytest_django import DjangoDbBlocker

pytest_plugins = [
    "tests.contract.tally",
    "tests.emptying",
    "tests.garbage",
    "tests.locks",
    "tests.longest_first",
    "tests.migrating",
    "tests.sandbox_server",
    "tests.static_files",
]


def pytest_configure(config: pytest.Config) -> None:
    # The octane client library brings an old six, whose import hook stays installed in the whole process.
    config.addinivalue_line("filterwarnings", "ignore:_SixMetaPathImporter:ImportWarning")


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    """The months that most tests write measurements to, made once; writing makes what is missing."""
    from invoicing.usage.partitions import ensure_months

    with django_db_blocker.unblock():
        ensure_months({date(2025, 11, 1), date(2025, 12, 1), *(date(2026, month, 1) for month in range(1, 8))})


@pytest.fixture(autouse=True)
def worker_that_is_somewhere_else() -> Iterator[None]:
    """Tasks run at once in tests, and this one would do so inside the commit of whoever wrote an event. In truth
    another process takes it; tests deliver when they say so."""
    with mock.patch("customers.tasks.deliver_events.delay"):
        yield
