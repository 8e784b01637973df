"""A burst: what is done for one object's events costs the same however many others wait. ``tests/bench/burst.py`` sends
fifty thousand."""

from __future__ import annotations

from django.db import connection
from django.utils import timezone

from payments.models import StripeEvent
from payments.stripe import processing
from payments.tasks import process_event
from tests.bench.many_rows import copy_row
from tests.bench.watching import watching
from tests.payments.stripe.conftest import Shop, issued

OTHERS = 5000


def fill(event: StripeEvent) -> None:
    """Events of other objects, which wait too."""
    copy_row(event, str(OTHERS), {"event_id": "'evt_other_' || n", "object_id": "'in_other_' || n"})
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def test_no_statement_reads_the_others(shop: Shop) -> None:
    invoice = issued(shop, shop.customer(), 700)
    shop.move_clock(hours=2)
    shop.deliver([e for e in shop.events_sent() if e["type"].startswith("invoice.")])
    StripeEvent.objects.update(state="pending", processed_at=None, handed_out_at=None)
    event = StripeEvent.objects.get(type="invoice.paid")
    fill(event)
    with watching() as asked:
        processing.hand_out(real_now=timezone.now(), limit=10)
        process_event(event.pk)
    assert asked.complaints() == []
    invoice.refresh_from_db()
    assert invoice.status == "INVOICE_PAID"
    assert StripeEvent.objects.filter(state="pending").count() == OTHERS
