"""Keys are new again after a day, and events are gone after thirty, whatever the account's clock says."""

from __future__ import annotations

from datetime import timedelta

import pytest
import stripe
from django.utils import timezone

from payments.sandbox.forgetting import EVENTS_LAST, KEYS_LAST, forget
from tests.sandbox_server import SANDBOX_ONLY

pytestmark = SANDBOX_ONLY


def test_keys_and_events_have_their_time(client, time_at):
    key = {"idempotency_key": "k"}
    first = client.v1.customers.create({"name": "Ada"}, key)
    time_at(timezone.now() + timedelta(days=400))
    forget(timezone.now() + KEYS_LAST - timedelta(minutes=1))
    assert client.v1.customers.create({"name": "Ada"}, key).id == first.id
    forget(timezone.now() + KEYS_LAST + timedelta(minutes=1))
    assert client.v1.customers.create({"name": "Ada"}, key).id != first.id

    event = client.v1.events.list().data[0]
    forget(timezone.now() + EVENTS_LAST - timedelta(minutes=1))
    assert client.v1.events.retrieve(event.id).id == event.id
    forget(timezone.now() + EVENTS_LAST + timedelta(minutes=1))
    assert client.v1.events.list().data == []
    with pytest.raises(stripe.InvalidRequestError, match="No such event"):
        client.v1.events.retrieve(event.id)
