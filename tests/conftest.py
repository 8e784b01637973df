"""Fixtures that every test folder shares. Servers are started by tests/services.py."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from unittest import mock

import pytest
from pytest_django import DjangoDbBlocker

pytest_plugins = ["tests.contract.tally", "tests.emptying", "tests.sandbox_server"]


def pytest_configure(config: pytest.Config) -> None:
    # The octane client library brings an old six, whose import hook stays installed in the whole process.
    config.addinivalue_line("filterwarnings", "ignore:_SixMetaPathImporter:ImportWarning")


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    """The months that tests write measurements to without the intake, which makes what is missing: those of their
    fixed times, and those around today, where a vendor's clock may be."""
    from invoicing.usage.partitions import ensure_months, month_of

    fixed = {date(year, month, 1) for year in (2025, 2026) for month in range(1, 13)}
    today = datetime.now(UTC)
    with django_db_blocker.unblock():
        ensure_months(fixed | {month_of(today + timedelta(days=days)) for days in range(-31, 400, 28)})


@pytest.fixture(autouse=True)
def worker_that_is_somewhere_else() -> Iterator[None]:
    """Tasks run at once in tests, and this one would do so inside the commit of whoever wrote an event. In truth
    another process takes it; tests deliver when they say so."""
    with mock.patch("customers.tasks.deliver_events.delay"):
        yield
