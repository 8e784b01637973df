"""The first screen: figures of one currency each, charts, first steps, signs of life; queries that do not grow."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from billing_portal import heartbeats
from billing_portal.accounts.models import Role
from billing_portal.portal.figures import figures_of
from customers.models import Vendor, WebhookEndpoint
from invoicing.models import Invoice
from payments.models import StripeEvent
from tests.factories import CustomerFactory, InvoiceFactory, VendorFactory
from tests.portal.scene import NOW, Scene, make_invoice, make_operator

SignedIn = Callable[..., Client]


@pytest.fixture(autouse=True)
def empty_cache() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def dashboard(client: Client) -> str:
    return client.get(reverse("portal:dashboard")).content.decode()


def text(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def test_figures_are_of_one_currency_each(scene: Scene, signed_in: SignedIn) -> None:
    make_invoice(scene, "yen", "hooli", 160, 5_000, status="INVOICE_ISSUED", currency="JPY", due_date=NOW)
    here = figures_of(scene.vendor, NOW + timedelta(minutes=1)).open
    assert here.outstanding.amounts == [("JPY", 5_000), ("USD", 42_011 + 9_900 + 27_344)]
    assert here.late.amounts == [("JPY", 5_000), ("USD", 9_900)]
    assert here.failed.amounts == [("USD", 27_344 + 31_200)]
    assert here.approval.amounts == [("USD", 1_204_990)]
    assert "¥5,000" in dashboard(signed_in())


@pytest.mark.parametrize(
    ("days_late", "age"), [(0, 0), (1, 0), (30, 0), (31, 1), (60, 1), (61, 2), (90, 2), (91, 3), (400, 3)]
)
def test_ages_are_whole_days_of_the_vendors_zone(db: None, days_late: int, age: int) -> None:
    vendor = VendorFactory(time_zone="Asia/Tokyo")
    now = datetime(2026, 3, 3, 1, tzinfo=UTC)  # ten in the morning in Tokyo
    customer = CustomerFactory(vendor=vendor)
    InvoiceFactory(
        customer=customer,
        number="1",
        status="INVOICE_ISSUED",
        issued_at=now,
        sub_total=700,
        due_date=now - timedelta(days=days_late, minutes=1),
    )
    [(currency, sums)] = figures_of(vendor, now).open.ages
    assert (currency, [place for place, amount in enumerate(sums) if amount]) == ("USD", [age])


def test_paid_in_30_days_is_compared_with_the_30_before(scene: Scene) -> None:
    Invoice.objects.filter(status="INVOICE_PAID").update(paid_at=NOW - timedelta(days=29))
    first = scene.invoices["acme-january"]
    Invoice.objects.filter(pk=first.pk).update(paid_at=NOW - timedelta(days=30), amount_paid=10_000)
    others = 5 * 17_000 + 913 * (1 + 2 + 3 + 4 + 5)
    [usd] = figures_of(scene.vendor, NOW).collected
    assert (usd.amount, usd.before, usd.change) == (others, 10_000, f"{round(100 * (others - 10_000) / 10_000):+d} %")


def test_weeks_hold_what_was_invoiced_and_collected_in_them(scene: Scene) -> None:
    [(currency, weeks)] = figures_of(scene.vendor, NOW).weeks
    invoiced = Invoice.objects.filter(issued_at__gte=datetime(2025, 12, 15, tzinfo=UTC), issued_at__lte=NOW)
    total = sum(invoice.amount_due for invoice in invoiced.exclude(status="INVOICE_VOIDED"))
    assert (currency, len(weeks), weeks[-1].start.isoformat()) == ("USD", 12, "2026-03-02")
    assert sum(week.invoiced for week in weeks) == total > 0
    january = {week.start.isoformat(): week.collected for week in weeks if week.collected}
    assert january == {"2026-02-02": sum(17_000 + 913 * place for place in range(6))}


def test_each_currency_has_its_charts(scene: Scene, signed_in: SignedIn) -> None:
    make_invoice(
        scene, "yen", "hooli", 160, 5_000, status="INVOICE_ISSUED", currency="JPY", due_date=NOW,
        generated_at=NOW - timedelta(days=9),
    )  # fmt: skip
    page = dashboard(signed_in())
    titles = re.findall(r'<span class="bp-hidden" id="(?:weeks|ages)-\w+-title">([^<]+)</span>', page)
    assert titles == [
        f"{what}, {currency}"
        for currency in ("JPY", "USD")
        for what in ("Invoiced and collected by week", "Past due by days")
    ]
    assert "0–30 $99.00" in text(page)
    assert "0–30 ¥5,000" in text(page)


def test_as_many_queries_with_many_invoices_and_currencies(scene: Scene, signed_in: SignedIn) -> None:
    client = signed_in()
    dashboard(client)

    def spent() -> int:
        with CaptureQueriesContext(connection) as queries:
            dashboard(client)
        return len(queries)

    few = spent()
    for place in range(30):
        make_invoice(
            scene, f"m{place}", "acme", 300 + place, 100, status="INVOICE_ISSUED",
            currency=("USD", "EUR", "JPY")[place % 3], due_date=NOW - timedelta(days=place * 5), past_due_at=NOW,
        )  # fmt: skip
    assert spent() == few


def test_health_shows_what_stands_still(scene: Scene, signed_in: SignedIn) -> None:
    page = text(dashboard(signed_in()))
    assert "Schedule (beat) Stands still No sign of life." in page
    heartbeats.note(heartbeats.BEAT, timezone.now())
    heartbeats.note(heartbeats.WORKER, timezone.now() - timedelta(minutes=5))
    StripeEvent.objects.create(
        vendor=scene.vendor, event_id="evt_1", account_id="a", livemode=False, type="invoice.paid", body={},
        received_at=timezone.now() - timedelta(minutes=3),
    )  # fmt: skip
    Invoice.objects.filter(pk=scene.invoices["generated"].pk).update(next_action_at=NOW - timedelta(hours=1))
    page = text(dashboard(signed_in()))
    assert "Schedule (beat) Works Last sign of life" in page
    assert "Workers Stands still Last sign of life 5 minutes ago." in page
    assert "Webhooks in Behind The oldest came 3 minutes ago." in page
    assert "Due work Stands still The oldest was due" in page


def test_without_redis_nobody_claims_to_know(scene: Scene, signed_in: SignedIn, monkeypatch: Any) -> None:
    monkeypatch.setattr(heartbeats, "last_seen", lambda: None)
    assert "Workers Unknown Redis does not answer, so nobody can say." in text(dashboard(signed_in()))


def test_what_needs_a_person_and_is_no_invoice(scene: Scene, signed_in: SignedIn) -> None:
    now = timezone.now()
    WebhookEndpoint.objects.create(vendor=scene.vendor, url="https://x.example", created_at=now, failing_since=now)
    for place in range(2):
        StripeEvent.objects.create(
            vendor=scene.vendor, event_id=f"evt_{place}", account_id="a", livemode=False, type="t", body={},
            received_at=now, state="failed",
        )  # fmt: skip
    answer = signed_in().get(reverse("portal:dashboard"))
    page = text(answer.content.decode())
    assert "2 Stripe events could not be processed" in page
    assert "1 webhook endpoint cannot be reached, or refused" in page
    items = [item for group in answer.context["sidebar_navigation"] for item in group["items"]]
    badges = {item["title"]: item["badge"] for item in items if "badge" in item}
    assert badges == {"Invoices": "3", "Incoming Stripe events": "2", "Webhooks": "1"}


def test_first_steps_tick_themselves_and_leave_when_asked(scene: Scene, signed_in: SignedIn) -> None:
    vendor = VendorFactory(name="fresh")
    newcomer = Client()
    newcomer.force_login(make_operator(vendor, Role.OWNER))
    page = text(dashboard(newcomer))
    assert "First steps 0 of 6" in page
    CustomerFactory(vendor=vendor)
    assert "First steps 1 of 6" in text(dashboard(newcomer))
    newcomer.post(reverse("portal:dismiss_first_steps"))
    assert "First steps 1 of 6" in text(dashboard(newcomer))  # not before all is done

    settled = signed_in(Role.READ_ONLY)
    assert "You are set up" in text(dashboard(settled))
    assert settled.get(reverse("portal:dismiss_first_steps")).status_code == 405
    settled.post(reverse("portal:dismiss_first_steps"))
    assert "You are set up" not in text(dashboard(settled))
    assert "You are set up" in text(dashboard(signed_in()))  # another person's list stays
    assert Vendor.objects.count() == 2
