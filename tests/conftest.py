"""Fixtures that every test folder shares. Servers are started by tests/services.py."""

pytest_plugins = ["tests.sandbox_server"]
