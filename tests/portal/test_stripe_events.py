"""System -> Incoming Stripe events: seen, filtered, replayed and set aside, each vendor its own."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from billing_portal.accounts.models import Operator, Role
from payments.models import StripeEvent
from payments.stripe import inbox, tally
from tests.factories import VendorFactory
from tests.payments.stripe.conftest import an_event
from tests.portal.scene import Scene, make_operator

SignedIn = Callable[..., Client]
LIST = "portal:stripe_events"


def receive(scene: Scene, kind: str = "invoice.paid", state: str = "processed", **changes: Any) -> StripeEvent:
    told = an_event(scene.connection.account_id, kind, **changes)
    inbox.store(inbox.read(told), real_now=timezone.now())
    event = StripeEvent.objects.latest("pk")
    StripeEvent.objects.filter(pk=event.pk).update(state=state, reason="Because." if state == "failed" else "")
    event.refresh_from_db()
    return event


def test_the_list_is_filtered_by_state_and_type_and_paged(scene: Scene, signed_in: SignedIn) -> None:
    client, address = signed_in(), reverse(LIST)
    assert "No events yet" in client.get(address).content.decode()
    receive(scene, "refund.created", "failed")
    for _ in range(30):
        receive(scene)
    first = client.get(address)
    assert len(first.context["rows"]) == 25
    older = client.get(address, {"before": first.context["page"].older})
    assert len(older.context["rows"]) == 6
    only = client.get(address, {"state": "failed"})
    assert [row.type for row, _ in only.context["rows"]] == ["refund.created"]
    assert [row.type for row, _ in client.get(address, {"type": "refund.created"}).context["rows"]] == [
        "refund.created"
    ]
    assert "No such event" in client.get(address, {"state": "failed", "type": "invoice.paid"}).content.decode()


def test_the_list_costs_the_same_however_long_it_is(scene: Scene, signed_in: SignedIn) -> None:
    client, spent = signed_in(), []
    for _ in range(2):
        for _ in range(5):
            receive(scene)
        with CaptureQueriesContext(
            database,
        ) as queries:
            client.get(reverse(LIST))
        spent.append(len(queries))
    assert spent[0] == spent[1]


def test_one_event_with_its_body_is_replayed(scene: Scene, signed_in: SignedIn) -> None:
    event = receive(scene, state="failed", api_version="2020-08-27")
    client, address = signed_in(Role.BILLING), reverse("portal:stripe_event", args=[event.pk])
    page = client.get(address).content.decode()
    assert "in_foreign" in page
    assert "Because." in page
    assert "another than ours" in page
    assert client.get(reverse("portal:replay_stripe_event", args=[event.pk])).status_code == 405
    told = client.post(reverse("portal:replay_stripe_event", args=[event.pk]), follow=True).content.decode()
    assert "processed again within seconds" in told
    event.refresh_from_db()
    assert (event.state, event.attempts, event.reason) == ("pending", 0, "")


def test_everything_that_failed_is_replayed_or_one_set_aside(scene: Scene, signed_in: SignedIn) -> None:
    failed = [receive(scene, state="failed") for _ in range(3)]
    done = receive(scene)
    client = signed_in()
    client.post(reverse("portal:set_aside_stripe_event", args=[failed[0].pk]))
    told = client.post(reverse("portal:set_aside_stripe_event", args=[done.pk]), follow=True).content.decode()
    assert "Only an event that failed" in told
    told = client.post(reverse("portal:replay_failed_stripe_events"), follow=True).content.decode()
    assert "2 failed events will be processed again." in told
    states = dict(StripeEvent.objects.values_list("pk", "state"))
    assert [states[e.pk] for e in [*failed, done]] == ["ignored", "pending", "pending", "processed"]
    assert "Set aside by owner@northwind.example." in StripeEvent.objects.get(pk=failed[0].pk).reason


def test_an_event_of_the_other_mode_is_shown_but_not_replayed(scene: Scene, signed_in: SignedIn) -> None:
    event = receive(scene, livemode=True)
    assert event.vendor == scene.vendor
    StripeEvent.objects.update(state="ignored", reason="The account is not connected in live mode.")
    client = signed_in()
    assert "Replay" not in client.get(reverse("portal:stripe_event", args=[event.pk])).content.decode()
    told = client.post(reverse("portal:replay_stripe_event", args=[event.pk]), follow=True).content.decode()
    assert "Nothing was changed" in told


def test_what_is_odd_is_said(scene: Scene, signed_in: SignedIn) -> None:
    receive(scene, api_version="2020-08-27")
    for _ in range(2):
        tally.note_refusal(real_now=timezone.now() - timedelta(days=1))
    page = signed_in().get(reverse(LIST)).content.decode()
    assert "refused 2 deliveries because of the signature" in page
    assert "1 event came in API version 2020-08-27" in page
    card = signed_in().get(reverse("portal:billing_settings")).content.decode()
    assert 'Events came in another API version than ours: <span class="bp-mono">2020-08-27</span>.' in card


def test_nothing_odd_is_not_said(scene: Scene, signed_in: SignedIn) -> None:
    receive(scene)
    for name in (LIST, "portal:billing_settings"):
        assert "API version" not in signed_in().get(reverse(name)).content.decode()


@pytest.mark.parametrize("role", [Role.SUPPORT, Role.READ_ONLY])
def test_looking_is_open_to_all_and_replaying_is_not(scene: Scene, signed_in: SignedIn, role: Role) -> None:
    event = receive(scene, state="failed")
    client = signed_in(role)
    assert "Replay" not in client.get(reverse("portal:stripe_event", args=[event.pk])).content.decode()
    for name, arguments in (
        ("replay_stripe_event", [event.pk]),
        ("set_aside_stripe_event", [event.pk]),
        ("replay_failed_stripe_events", []),
    ):
        assert client.post(reverse(f"portal:{name}", args=arguments)).status_code == 403
    assert StripeEvent.objects.get().state == "failed"


def test_events_of_other_vendors_are_not_there(scene: Scene) -> None:
    event = receive(scene, state="failed")
    stranger = Client()
    stranger.force_login(make_operator(VendorFactory(), Role.OWNER))
    assert stranger.get(reverse(LIST)).context["rows"] == []
    assert stranger.get(reverse("portal:stripe_event", args=[event.pk])).status_code == 404
    assert stranger.post(reverse("portal:replay_stripe_event", args=[event.pk])).status_code == 404
    stranger.post(reverse("portal:replay_failed_stripe_events"))
    assert StripeEvent.objects.get().state == "failed"


def test_a_superuser_replays_one_or_many_in_the_admin(scene: Scene) -> None:
    failed = [receive(scene, state="failed") for _ in range(3)]
    browser = Client()
    browser.force_login(Operator.objects.create_superuser("root@example.com", "x"))
    chosen = {"action": "process_again", "_selected_action": [e.pk for e in failed[:2]]}
    told = browser.post(reverse("admin:payments_stripeevent_changelist"), chosen, follow=True).content.decode()
    assert "2 of 2 events will be processed again." in told
    states = StripeEvent.objects.order_by("pk").values_list("state", flat=True)
    assert list(states) == ["pending", "pending", "failed"]
    for name in ("watch", "eventcursor", "difference", "reconciliationrun", "webhooktally"):
        assert browser.get(reverse(f"admin:payments_{name}_changelist")).status_code == 200
