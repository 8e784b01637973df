"""The vendor's clock, the sandbox and its webhooks move together, over real HTTP in both directions."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from customers import clock
from payments.models import StripeEvent
from payments.sandbox import clock as sandbox_clock
from payments.stripe import connect
from tests.factories import VendorFactory
from tests.payments.stripe.conftest import OPERATOR, Shop, issued

pytestmark = pytest.mark.urls("payments.stripe.urls")


def move(shop: Shop, **delta: float) -> None:
    """To the new time, with everything settled there."""
    shop.vendor.refresh_from_db()
    target = shop.vendor.now(timezone.now()) + timedelta(**delta)
    clock.move_forward(shop.vendor, target, actor=OPERATOR, real_now=timezone.now())
    for _ in range(100):
        clock.drive(shop.vendor.pk, real_now=timezone.now())
        shop.vendor.refresh_from_db()
        if not shop.vendor.clock_is_advancing:
            return
    raise AssertionError("The clock does not come to rest.")


def test_stripe_charges_in_the_hour_the_clock_passes(shop: Shop, live_server: Any) -> None:
    shop.sandbox.send_webhooks_to(f"{live_server.url}/webhooks/stripe/")
    invoice = issued(shop, shop.customer(), 18538)
    finalized_by = shop.vendor.now(timezone.now()) + timedelta(hours=1)
    move(shop, minutes=30)
    invoice.refresh_from_db()
    assert invoice.status == "INVOICE_ISSUED"
    move(shop, days=3)
    invoice.refresh_from_db()
    assert invoice.status == "INVOICE_PAID"
    assert invoice.paid_at is not None
    assert abs(invoice.paid_at - finalized_by) < timedelta(minutes=5)
    assert not StripeEvent.objects.filter(state="pending").exists()
    assert shop.kinds().count("invoice.paid") == 1


def test_an_account_takes_over_the_clock_of_its_vendor(shop: Shop) -> None:
    shop.connection.delete()
    ahead = timedelta(days=40)
    vendor = VendorFactory.create(clock_offset=ahead)
    connect.attach(vendor, shop.sandbox.account, livemode=False, real_now=timezone.now())
    now = timezone.now()
    assert sandbox_clock.now(shop.sandbox.account, False, now) == now + ahead
