"""System -> Scheduled work: every kind of planned work in one order, page by page, late or not, with its buttons."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from billing_portal.accounts.models import Role
from billing_portal.portal.planned import KIND_LABELS, Asked, Clock, planned, read_position
from customers.models import WebhookEndpoint
from invoicing.invoices.models import OutgoingEmail
from invoicing.models import BillingCycle, Invoice
from payments.models import StripeCustomer
from payments.reconcile.models import Watch
from tests.factories import VendorFactory
from tests.portal.deliveries import failing_delivery
from tests.portal.scene import NOW, Scene, make_operator

SignedIn = Callable[..., Client]


def page(client: Client, **filters: str) -> str:
    shown = client.get(reverse("portal:scheduled"), filters).content.decode()
    return " ".join(re.sub(r"<[^>]+>", " ", shown[shown.index("bp-filters") :]).split())


@pytest.fixture
def everything(scene: Scene) -> Clock:
    """A row of each kind, each at another time."""
    clock = Clock(NOW, timezone.now())
    late = scene.invoices["late"]
    Invoice.objects.filter(pk=late.pk).update(next_reminder_at=NOW + timedelta(hours=2))
    OutgoingEmail.objects.update(next_action_at=NOW + timedelta(hours=3), state="waiting")
    failing_delivery(scene.vendor)
    WebhookEndpoint.objects.get().deliveries.update(
        state="pending", next_attempt_at=clock.real_now + timedelta(hours=4)
    )
    StripeCustomer.objects.filter(customer__name="acme").update(
        state="pending", claimed_until=clock.real_now + timedelta(hours=5), last_error="Stripe did not answer."
    )
    Watch.objects.create(
        vendor=scene.vendor, kind="invoice", subject_id=scene.invoices["issued"].pk, state="INVOICE_ISSUED",
        external_id="in_1hooli", account="a", since=clock.real_now, next_at=clock.real_now + timedelta(hours=6),
    )  # fmt: skip
    return clock


def test_each_kind_of_work_is_there_in_order(scene: Scene, everything: Clock) -> None:
    entries = planned(scene.vendor, everything, Asked(), 100)
    assert {entry.kind for entry in entries} == set(KIND_LABELS)
    assert entries == sorted(entries, key=lambda entry: entry.at)
    assert all(entry.link for entry in entries)
    by_kind = {entry.kind: entry for entry in entries}
    assert by_kind["delivery"].at == pytest.approx(NOW + timedelta(hours=4), abs=timedelta(seconds=1))
    assert by_kind["watch"].link == reverse("portal:invoice", args=[scene.invoices["issued"].uuid])


def test_page_by_page_nothing_is_twice_or_missing(scene: Scene, everything: Clock) -> None:
    whole = planned(scene.vendor, everything, Asked(), 100)
    read, position = [], None
    while found := planned(scene.vendor, everything, Asked(position=position), 2):
        read += found
        position = read_position(found[-1].position)
    assert [entry.position for entry in read] == [entry.position for entry in whole]
    assert len(whole) > 12


@pytest.mark.parametrize("text", ["", "x", "1_2", "1_2_3_4", "-1_0_0", "9" * 20 + "_0_0", "1_²_3"])
def test_positions_that_make_no_sense_show_the_beginning(scene: Scene, signed_in: SignedIn, text: str) -> None:
    assert "Issue: INV-00150" in page(signed_in(), after=text)


def test_what_is_late_and_why(scene: Scene, signed_in: SignedIn) -> None:
    client = signed_in()
    assert "Nothing is late" in page(client, late="late")
    cycle = BillingCycle.objects.get(customer__name="hooli")
    BillingCycle.objects.filter(pk=cycle.pk).update(next_action_at=NOW - timedelta(hours=3), last_error="No price.")
    shown = page(client, late="late")
    assert "End the billing cycle Billing cycles · Hooli Late 3 hours ago" in shown
    assert "No price." in shown
    assert "INV-00150" not in shown
    assert "Nothing is planned" in page(client, kind="delivery", late="day")


def test_it_is_done_now_or_held_back_from_the_list(scene: Scene, signed_in: SignedIn) -> None:
    shown = signed_in(Role.BILLING).get(reverse("portal:scheduled")).content.decode()
    invoice = scene.invoices["generated"]
    for verb in ("push", "pause"):
        assert f'action="{reverse("portal:invoice_verb", args=[invoice.uuid, verb])}"' in shown
    client = signed_in(Role.BILLING)
    client.post(reverse("portal:invoice_verb", args=[invoice.uuid, "pause"]), {"reason": "Look first."})
    assert str(invoice) not in page(client)
    assert "Do now" not in page(signed_in(Role.READ_ONLY))


def test_as_many_queries_for_a_full_page_as_for_few(scene: Scene, signed_in: SignedIn, everything: Clock) -> None:
    client = signed_in()

    def spent() -> int:
        cache.clear()  # how far the run is was counted a moment ago
        with CaptureQueriesContext(connection) as queries:
            page(client)
        return len(queries)

    few = spent()
    Invoice.objects.filter(next_action_at=None).update(
        next_action="issue", next_action_at=NOW, next_reminder_at=NOW + timedelta(hours=1)
    )
    assert spent() == few


def test_another_vendors_work_is_not_shown(scene: Scene, everything: Clock) -> None:
    stranger = Client()
    stranger.force_login(make_operator(VendorFactory(), Role.OWNER))
    assert "Nothing is planned" in page(stranger)
