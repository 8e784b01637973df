"""Fixtures that every test folder shares. Servers are started by tests/services.py."""

from collections.abc import Iterator
from unittest import mock

import pytest

pytest_plugins = ["tests.contract.tally", "tests.emptying", "tests.sandbox_server"]


def pytest_configure(config: pytest.Config) -> None:
    # The octane client library brings an old six, whose import hook stays installed in the whole process.
    config.addinivalue_line("filterwarnings", "ignore:_SixMetaPathImporter:ImportWarning")


@pytest.fixture(autouse=True)
def worker_that_is_somewhere_else() -> Iterator[None]:
    """Tasks run at once in tests, and this one would do so inside the commit of whoever wrote an event. In truth
    another process takes it; tests deliver when they say so."""
    with mock.patch("customers.tasks.deliver_events.delay"):
        yield
