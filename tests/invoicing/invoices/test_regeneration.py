"""Usage came late, or a price was wrong: the invoice is generated again before it is issued."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from billing_portal.accounts.models import Role
from customers.errors import Busy
from customers.models import Event
from invoicing.catalog.models import PriceTier
from invoicing.invoices.due_dates import change_due_date
from invoicing.invoices.lifecycle import delete
from invoicing.invoices.regeneration import regenerate, would_change
from invoicing.models import AdhocCharge, BillingCycle, Invoice
from tests.api.client import Api, answer
from tests.portal.scene import make_operator
from tests.world import OPERATOR, World, utc

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    """January: $99.00, 1,000 calls at a cent, and a charge of $5.00; to be issued on 6 February."""
    world = World(utc(2026, 1, 1), time_zone="UTC")
    world.settings(payment_grace_period_length=5, should_send_invoice_to_customers=True)
    calls = world.meter("calls", unit_name="calls")
    acme = world.customer()
    world.subscribe(acme, world.plan((calls, "API calls", Decimal(1))))
    world.use(acme, calls, 1000, at=utc(2026, 1, 10))
    AdhocCharge.objects.create(
        vendor=world.vendor, customer=acme, charge_time=utc(2026, 1, 5), item_name="Setup", quantity=1,
        total_price=500, created_at=utc(2026, 1, 5),
    )  # fmt: skip
    world.move_to(utc(2026, 2, 2))
    return world


def by(world: World) -> dict[str, Any]:
    return {"actor": OPERATOR, "now": world.now, "real_now": timezone.now()}


def use_late(world: World, hour: int = 0) -> None:
    invoice = world.invoice()
    calls = invoice.subscription.price_plan.metered_components.get().meter
    world.use(invoice.customer, calls, 120, utc(2026, 1, 20, hour))


def rows() -> list[Any]:
    return [list(kind.objects.order_by("pk").values()) for kind in (Invoice, BillingCycle, Event, AdhocCharge)]


def test_the_page_shows_what_came_late_and_the_button_bills_it(world: World) -> None:
    browser = Client()
    browser.force_login(make_operator(world.vendor, Role.BILLING))
    old = world.invoice()
    assert old.amount_due == 9900 + 1000 + 500
    address = reverse("portal:invoice", args=[old.uuid])
    assert "has changed since" not in browser.get(address).content.decode()
    use_late(world)
    before = rows()
    page = " ".join(browser.get(address).content.decode().split())
    assert "would come to $115.20 instead of $114.00" in page
    assert "came after the invoice was generated:" in page
    assert "API calls: +120 calls, 1 measurement, the newest of 20 Jan 2026" in re.sub("<[^>]+>", "", page)
    assert "API calls: +120 calls, +$1.20" in page
    assert "Setup" not in page.partition("has changed since")[2].partition("</ul>")[0]
    assert rows() == before

    response = browser.post(reverse("portal:invoice_verb", args=[old.uuid, "regenerate"]))
    new = world.invoice()
    assert response["Location"] == reverse("portal:invoice", args=[new.uuid])
    assert new.uuid != old.uuid
    assert (new.amount_due, new.status, new.cycle_id) == (11520, "INVOICE_GENERATED", old.cycle_id)
    page = browser.get(response["Location"]).content.decode()
    assert "In place of the one of $114.00, generated 2026-02-01." in page
    assert "has changed since" not in page
    assert "came after the invoice" not in page
    assert world.kinds(old) == ["invoice.generated", "invoice.deleted"]
    assert world.kinds(new) == ["invoice.generated", "invoice.regenerated"]
    world.move_to(utc(2026, 2, 8))
    assert world.invoice().status == "INVOICE_ISSUED"
    use_late(world, hour=1)
    page = browser.get(response["Location"]).content.decode()
    assert "It is not on this invoice, which can no longer be generated again" in page


def test_number_and_due_date_are_taken_over_and_the_grace_period_begins_anew(world: World) -> None:
    old = change_due_date(world.invoice(), day=date(2026, 2, 20), **by(world))
    Invoice.objects.update(status="INVOICING_FAILED", number="INV-00007")
    PriceTier.objects.update(price=2)
    new = regenerate(old, **by(world))
    assert (new.number, new.chosen_due_date, new.amount_due) == ("INV-00007", date(2026, 2, 20), 9900 + 2000 + 500)
    assert new.issue_date.date() == date(2026, 2, 7)


def test_what_the_customer_may_have_seen_is_not_replaced(world: World) -> None:
    invoice = world.invoice()
    invoice.issue_attempts.create(
        number=1, channel="email", state="unknown", idempotency_key="k", started_at=world.now,
        real_started_at=timezone.now(),
    )  # fmt: skip
    before = rows()
    with pytest.raises(Busy, match="may have been"):
        regenerate(invoice, **by(world))
    assert rows() == before


def test_a_deleted_invoice_is_generated_from_the_customers_page(world: World) -> None:
    browser = Client()
    browser.force_login(make_operator(world.vendor, Role.BILLING))
    delete(world.invoice(), **by(world))
    page = browser.get(reverse("portal:customer_invoices", args=["acme"])).content.decode()
    cycle = BillingCycle.objects.get(index=0)
    address = reverse("portal:generate_invoice", args=["acme", cycle.pk])
    assert address in page
    browser.post(address)
    assert world.invoice().amount_due == 11400
    assert "has its invoice, or gets it by itself" in browser.post(address, follow=True).content.decode()
    assert world.invoice().amount_due == 11400
    assert address not in browser.get(reverse("portal:customer_invoices", args=["acme"])).content.decode()


def test_over_the_api(world: World) -> None:
    use_late(world)
    invoice = world.invoice()
    with CaptureQueriesContext(
        connection,
    ) as found:
        assert would_change(invoice, now=world.now, real_now=timezone.now()) is not None
    assert len(found) < 60
    api, address, before = Api(world.vendor), f"/invoices/{invoice.uuid}/regenerate", rows()
    assert answer(api.get(address)) == {
        "late_usage": [
            {
                "meter_name": "calls", "display_name": "API calls", "unit_name": "calls", "billed_usage": 1000,
                "usage": 1120, "measurements": 1, "last_measurement": "2026-01-20T00:00:00Z",
            }
        ],
        "can_be_generated_again": True, "why_not": "", "currency": "USD", "amount_due": 11400, "new_amount_due": 11520,
        "changes": [
            {
                "name": "API calls", "unit_name": "calls", "quantity": 1000, "new_quantity": 1120, "price_int": 1000,
                "new_price_int": 1120,
            }
        ],
    }  # fmt: skip
    assert rows() == before
    made = answer(api.post(address))
    assert (made["amount_due"], made["id"]) == (11520, str(world.invoice().uuid))
    world.move_to(utc(2026, 2, 8))
    use_late(world, hour=1)
    said = answer(api.get(f"/invoices/{made['id']}/regenerate"))
    assert [(late["billed_usage"], late["usage"]) for late in said["late_usage"]] == [(1120, 1240)]
    assert (said["can_be_generated_again"], said["new_amount_due"], said["changes"]) == (False, 11520, [])
    assert "issued" in said["why_not"]
