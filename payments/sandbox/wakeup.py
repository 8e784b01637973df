"""Tells the pump of this process that something is waiting, so that it does not sleep out its second."""

import threading

_something_waits = threading.Event()


def nudge() -> None:
    _something_waits.set()


def wait(seconds: float) -> None:
    _something_waits.wait(seconds)
    _something_waits.clear()
