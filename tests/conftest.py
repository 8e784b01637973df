"""Fixtures that every test folder shares. Servers are started by tests/services.py."""

import pytest

pytest_plugins = ["tests.sandbox_server"]


def pytest_configure(config: pytest.Config) -> None:
    # The octane client library brings an old six, whose import hook stays installed in the whole process.
    config.addinivalue_line("filterwarnings", "ignore:_SixMetaPathImporter:ImportWarning")
