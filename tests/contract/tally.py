"""A pytest plugin: how many exchanges with Stripe's stand-in were checked, in all processes of the run together."""

from __future__ import annotations

from typing import Any

import pytest

KEY = "stripe_exchanges"
_counted = {KEY: 0}


def count(exchanges: int) -> None:
    _counted[KEY] += exchanges


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker of xdist hands its number to whoever started it."""
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[KEY] = _counted[KEY]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    count(getattr(node, "workeroutput", {}).get(KEY, 0))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _counted[KEY]:
        told = f"{_counted[KEY]} requests to Stripe and their answers were held against the types of its SDK"
        terminalreporter.write_line(f"{told}; a test whose traffic does not agree with them has failed.")
