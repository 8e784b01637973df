"""``start``: the installation under test."""

from tests.machine.running import start

__all__ = ["start"]
