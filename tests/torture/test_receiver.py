"""The endpoint that is told to refuse: what it refuses, and what is counted as a fault."""

import pytest

from billing_portal.torture import receiver as module
from billing_portal.torture.receiver import LAPSES, Receiver

EVENT = {"idempotency_key": "one"}


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 100.0

        def monotonic(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.mark.usefixtures("clock")
def test_what_comes_next_is_refused_and_not_heard():
    receiver = Receiver()
    receiver.refuse_next(503)
    receiver.refuse_next(429)
    assert [receiver.hear(EVENT) for _ in range(3)] == [503, 429, 200]
    assert receiver.heard == {"one"}
    assert receiver.times == {"one": 1}
    assert receiver.relent() == 0


def test_a_refusal_that_met_nothing_lapses_and_is_no_fault_that_struck(clock):
    receiver = Receiver()
    receiver.refuse_next(503)
    clock.now += LAPSES + 1
    receiver.refuse_next(500)
    assert [receiver.hear(EVENT) for _ in range(2)] == [500, 200]
    receiver.refuse_next(429)
    assert receiver.relent() == 2, "one that lapsed, and one that is called off"
    assert receiver.relent() == 0
    assert receiver.hear(EVENT) == 200
