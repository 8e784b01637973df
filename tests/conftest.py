"""Fixtures that every test folder shares. Servers are started by tests/services.py."""
