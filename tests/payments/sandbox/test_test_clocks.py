"""Stripe's test clocks: time of its own for some customers of an account."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import stripe

from tests.sandbox_server import SANDBOX_ONLY

pytestmark = SANDBOX_ONLY

START = int(datetime(2027, 1, 1, tzinfo=UTC).timestamp())
HOUR, DAY = 3600, 86_400


@pytest.fixture
def clocks(client):
    return client.v1.test_helpers.test_clocks


@pytest.fixture
def clock(clocks):
    return clocks.create({"frozen_time": START})


def test_a_clock_moves_its_customers_and_nobody_else(stripe_sandbox, client, clocks, clock, customer, draft):
    mine = customer("pm_card_visa", test_clock=clock.id)
    other = customer("pm_card_visa")
    assert (mine.created, mine.test_clock, other.test_clock) == (START, clock.id, None)
    invoices = [draft(one, auto_advance=True) for one in (mine, other)]
    assert (invoices[0].test_clock, invoices[0].automatically_finalizes_at) == (clock.id, START + HOUR)

    answer = clocks.advance(clock.id, {"frozen_time": START + DAY})
    assert (answer.status, answer.status_details.advancing.target_frozen_time) == ("advancing", START + DAY)
    assert stripe_sandbox.settle() is False
    ready = clocks.retrieve(clock.id)
    assert (ready.status, ready.frozen_time) == ("ready", START + DAY)
    paid, waiting = (client.v1.invoices.retrieve(one.id) for one in invoices)
    assert (paid.status, paid.status_transitions.paid_at) == ("paid", START + HOUR)
    assert waiting.status == "draft"
    assert client.v1.events.list({"types": ["test_helpers.test_clock.ready"]}).data[0].data.object.id == clock.id


def test_a_clock_only_moves_forward_and_one_step_at_a_time(client, clocks, clock):
    for target in (START, START - 1, START + 3 * 365 * DAY):
        with pytest.raises(stripe.InvalidRequestError) as refused:
            clocks.advance(clock.id, {"frozen_time": target})
        assert refused.value.param == "frozen_time"
    clocks.advance(clock.id, {"frozen_time": START + 1})
    with pytest.raises(stripe.InvalidRequestError, match="ready"):
        clocks.advance(clock.id, {"frozen_time": START + 2})


def test_a_clock_takes_its_customers_with_it(client, clocks, clock, customer):
    mine, other = customer(test_clock=clock.id), customer()
    clocks.delete(clock.id)
    assert [found.id for found in client.v1.customers.list().data] == [other.id]
    with pytest.raises(stripe.InvalidRequestError, match="No such"):
        client.v1.customers.retrieve(mine.id)
    with pytest.raises(stripe.InvalidRequestError, match="No such"):
        client.v1.customers.create({"test_clock": clock.id})
