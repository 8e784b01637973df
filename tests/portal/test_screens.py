"""Every screen renders for every role, and shows only what belongs to the vendor."""

import re
import struct
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from billing_portal.accounts.models import Invitation, Operator, Role
from billing_portal.lists.models import Import
from billing_portal.lists.reading import keep, read_sheet
from billing_portal.lists.running import step
from customers.models import Customer, Vendor, WebhookDelivery
from invoicing.invoices.documents.page_picture import page_count
from invoicing.invoices.links import pdf_of
from invoicing.models import Coupon
from invoicing.rating.discounts import DiscountType
from invoicing.subscriptions.coupons import CouponDraft, apply_coupon, create_coupon
from invoicing.subscriptions.verbs import running_or_next
from invoicing.usage.models import UnattributedMeasurement
from payments.models import Difference, ReconciliationRun, StripeEvent
from payments.reconcile.look import invoice_news
from tests.factories import CustomerFactory, LineItemFactory, VendorFactory
from tests.portal.deliveries import failing_delivery
from tests.portal.scene import NOW, OLIVIA, PEOPLE, Scene, make_operator


def stripe_event(scene: Scene) -> str:
    event, _ = StripeEvent.objects.get_or_create(
        vendor=scene.vendor,
        event_id="evt_1",
        defaults={
            "account_id": scene.connection.account_id,
            "livemode": False,
            "type": "invoice.paid",
            "object_id": "in_1hooli",
            "state": "failed",
            "reason": "Stripe did not answer.",
            "body": {"id": "evt_1", "data": {"object": {"id": "in_1hooli", "object": "invoice", "amount": 42_011}}},
            "received_at": timezone.now(),
        },
    )
    return reverse("portal:stripe_event", args=[event.pk])


def webhook_delivery(scene: Scene) -> str:
    """One that was refused and then taken."""
    return reverse("portal:webhook_delivery", args=[_delivery(scene).pk])


def webhook(scene: Scene) -> str:
    return reverse("portal:webhook", args=[_delivery(scene).endpoint.uuid])


def _delivery(scene: Scene) -> WebhookDelivery:
    return WebhookDelivery.objects.of(scene.vendor).first() or failing_delivery(scene.vendor)


def invoice_line(scene: Scene) -> str:
    invoice = scene.invoices["generated"]
    return reverse("portal:line_item", args=[invoice.uuid, invoice.line_items.get(position=1).uuid])


def operators(scene: Scene) -> str:
    """With somebody who is invited."""
    times = {"created_at": timezone.now(), "expires_at": timezone.now() + timedelta(days=7)}
    who = {"email": "anna@example.com", "role": Role.BILLING, "invited_by": scene.operators[Role.OWNER].email}
    if not Invitation.objects.of(scene.vendor).exists():
        Invitation.objects.create(vendor=scene.vendor, **who, **times)
    return reverse("portal:operators")


def comparison(scene: Scene) -> str:
    """One under way, that found a difference."""
    now = timezone.now()
    run, made = ReconciliationRun.objects.get_or_create(
        vendor=scene.vendor,
        connection=scene.connection,
        defaults={
            "since": now - timedelta(days=35),
            "phase": "refunds",
            "pages": 3,
            "objects_seen": 212,
            "found": 1,
            "money": {"USD": {"paid": {"explained": 920_000, "differs": 42_011, "foreign": 7_500}}},
            "started_by": "Schedule",
            "started_at": now,
            "moved_at": now,
        },
    )
    if made:
        Difference.objects.create(
            vendor=scene.vendor, connection=scene.connection, run=run, kind="invoice_paid", external_id="in_1hooli",
            invoice=scene.invoices["issued"], ours="Issued, $0.00 of $420.11 paid",
            theirs="Paid, $420.11 of $420.11 paid",
            look=invoice_news("in_1hooli"), found_at=now,
        )  # fmt: skip
    return reverse("portal:reconciliation_run", args=[run.pk])


def imported_file(scene: Scene) -> str:
    """Checked: a row of each fate."""
    made = Import.objects.of(scene.vendor).first()
    if made is None:
        text = b"name,email\nacme,new@acme.example\nhooli,finance@hooli.example\nnew,x\npied,a@b.example"
        sheet = read_sheet(text, ["name"])
        made = keep(
            scene.vendor, Import.Kind.CUSTOMERS, sheet, file_name="customers.csv", actor=OLIVIA, real_now=timezone.now()
        )
        while step(made, real_now=timezone.now()):
            pass
    return reverse("portal:import", args=[made.uuid])


def coupon(scene: Scene) -> str:
    """One that a customer uses."""
    if not Coupon.objects.of(scene.vendor).exists():
        draft = CouponDraft("spring", Coupon.Frequency.ONCE, DiscountType.PERCENT, Decimal(10), code="SPRING")
        made = create_coupon(scene.vendor, draft, actor=OLIVIA, now=NOW, real_now=NOW)
        apply_coupon(running_or_next(scene.customers["acme"], NOW), made, now=NOW)
    return reverse("portal:coupon", args=["spring"])


PAGES = {
    "dashboard": lambda scene: reverse("portal:dashboard"),
    "invoices": lambda scene: reverse("portal:invoices"),
    "search": lambda scene: reverse("portal:find") + "?q=inv",
    "audit trail": lambda scene: reverse("portal:audit"),
    "scheduled work": lambda scene: reverse("portal:scheduled"),
    "next run": lambda scene: reverse("portal:next_run"),
    "payments": lambda scene: reverse("portal:payments"),
    "imports": lambda scene: reverse("portal:imports"),
    "import": imported_file,
    "dunning": lambda scene: reverse("portal:dunning"),
    "new invoice": lambda scene: reverse("portal:new_invoice", args=["acme"]),
    "generated invoice": lambda scene: reverse("portal:invoice", args=[scene.invoices["generated"].uuid]),
    "invoice line": invoice_line,
    "failed invoice": lambda scene: reverse("portal:invoice", args=[scene.invoices["payment-failed"].uuid]),
    "paid invoice": lambda scene: reverse("portal:invoice", args=[scene.invoices["acme-january"].uuid]),
    "customers": lambda scene: reverse("portal:customers"),
    "customer": lambda scene: reverse("portal:customer", args=["acme"]),
    "customer without anything": lambda scene: reverse("portal:customer", args=["wonka"]),
    "customer invoices": lambda scene: reverse("portal:customer_invoices", args=["acme"]),
    "customer payments": lambda scene: reverse("portal:customer_payments", args=["acme"]),
    "customer settings": lambda scene: reverse("portal:customer_settings", args=["acme"]),
    "customer override": lambda scene: reverse("portal:customer_settings", args=["wayne"]),
    "customer activity": lambda scene: reverse("portal:customer_activity", args=["initech"]),
    "customer subscription": lambda scene: reverse("portal:customer_subscription", args=["acme"]),
    "subscription of nobody": lambda scene: reverse("portal:customer_subscription", args=["wonka"]),
    "new subscription": lambda scene: reverse("portal:new_subscription", args=["wonka"]),
    "change plan": lambda scene: reverse("portal:change_plan", args=["acme"]),
    "subscriptions": lambda scene: reverse("portal:subscriptions"),
    "coupons": lambda scene: reverse("portal:coupons"),
    "new coupon": lambda scene: reverse("portal:new_coupon"),
    "coupon": coupon,
    "new customer": lambda scene: reverse("portal:new_customer"),
    "personal data": lambda scene: reverse("portal:personal_data", args=["acme"]),
    "edit customer": lambda scene: reverse("portal:edit_customer", args=["acme"]),
    "meters": lambda scene: reverse("portal:meters"),
    "new meter": lambda scene: reverse("portal:new_meter"),
    "meter": lambda scene: reverse("portal:meter", args=["requests"]),
    "price plans": lambda scene: reverse("portal:price_plans"),
    "new price plan": lambda scene: reverse("portal:new_price_plan"),
    "new version": lambda scene: reverse("portal:new_plan_version", args=["growth"]),
    "plan for all": lambda scene: reverse("portal:change_plan_in_place", args=["growth", 1]),
    "price plan": lambda scene: reverse("portal:price_plan", args=["growth"]),
    "unattributed": lambda scene: reverse("portal:unattributed"),
    "attribute usage": lambda scene: reverse(
        "portal:attribute_usage", args=[UnattributedMeasurement.objects.get(vendor=scene.vendor).pk]
    ),
    "Stripe event": stripe_event,
    "comparison": comparison,
    "Stripe events": lambda scene: reverse("portal:stripe_events"),
    "webhooks": lambda scene: reverse("portal:webhooks"),
    "webhook delivery": webhook_delivery,
    "webhook": webhook,
    "reconciliation": lambda scene: reverse("portal:reconciliation"),
    "API keys": lambda scene: reverse("portal:api_keys"),
    "operators": operators,
    "billing settings": lambda scene: reverse("portal:billing_settings"),
    "keys of one's own": lambda scene: reverse("portal:stripe_keys", args=["test"]),
    "change password": lambda scene: reverse("portal:change_password"),
    "sign-in codes": lambda scene: reverse("portal:sign_in_codes"),
    "test clock": lambda scene: reverse("portal:test_clock"),
}

LISTS = {
    "payments",
    "imports",
    "subscriptions",
    "coupons",
    "new coupon",
    "next run",
    "scheduled work",
    "audit trail",
    "search",
    "dashboard",
    "invoices",
    "dunning",
    "customers",
    "new customer",
    "meters",
    "new meter",
    "price plans",
    "new price plan",
    "unattributed",
    "Stripe events",
    "webhooks",
    "reconciliation",
    "API keys",
    "operators",
    "billing settings",
    "keys of one's own",
    "change password",
    "sign-in codes",
    "test clock",
}

SignedIn = Callable[..., Client]


@pytest.mark.parametrize("role", list(Role))
def test_each_screen_renders_for_each_role(scene: Scene, signed_in: SignedIn, role: Role) -> None:
    client = signed_in(role)
    for page, address in PAGES.items():
        response = client.get(address(scene))
        assert response.status_code == 200, page
        assert "Northwind Cloud" in response.content.decode(), page
        assert response["Cache-Control"] == "private, no-store"


def test_nobody_sees_a_screen_without_signing_in(scene: Scene, client: Client) -> None:
    for page, address in PAGES.items():
        response = client.get(address(scene))
        assert response.status_code == 302, page
        assert response["Location"].startswith(reverse("portal:sign_in")), page


def test_what_belongs_to_another_vendor_is_not_found(scene: Scene) -> None:
    stranger = Client()
    stranger.force_login(make_operator(VendorFactory(), Role.OWNER))
    for page in PAGES.keys() - LISTS:
        assert stranger.get(PAGES[page](scene)).status_code == 404, page


def test_lists_hold_nothing_of_another_vendor(scene: Scene) -> None:
    stranger = Client()
    stranger.force_login(make_operator(VendorFactory(), Role.OWNER))
    for page in LISTS:
        shown = stranger.get(PAGES[page](scene)).content.decode()
        assert not [name for _, name, _, _ in PEOPLE if name in shown], page
        # The settings show what the stranger's own next invoice is called, which is the first.
        assert set(re.findall(r"INV-\d+", shown)) <= {"INV-00001"}, page


def test_somebody_without_a_vendor_is_told_so(db: None, client: Client) -> None:
    client.force_login(Operator.objects.create_user("nobody@example.com", "x"))
    response = client.get(reverse("portal:dashboard"))
    assert response.status_code == 403
    assert "do not belong to a vendor" in response.content.decode()


def test_times_are_the_vendors_and_name_their_zone(scene: Scene, signed_in: SignedIn) -> None:
    Vendor.objects.filter(pk=scene.vendor.pk).update(time_zone="Europe/Berlin")
    page = signed_in().get(PAGES["generated invoice"](scene)).content.decode()
    assert "4 Mar 2026, 01:00 CET" in page
    assert "4 Mar 2026, 00:00 UTC" not in page


def test_a_moved_clock_is_shown_on_every_screen(scene: Scene, signed_in: SignedIn) -> None:
    assert "Test clock:" in signed_in().get(PAGES["customers"](scene)).content.decode()
    Vendor.objects.filter(pk=scene.vendor.pk).update(clock_offset=timedelta(0))
    assert "Test clock:" not in signed_in().get(PAGES["customers"](scene)).content.decode()


def test_an_invoice_says_what_happens_next_and_why(scene: Scene, signed_in: SignedIn) -> None:
    page = signed_in().get(PAGES["generated invoice"](scene)).content.decode()
    assert "Becomes a Stripe invoice, charged automatically." in page
    assert "4 Mar 2026, 00:00 UTC" in page
    assert "Payment grace period of 2 days" in page
    assert "$185.38" in page


def test_an_invoice_shows_its_attempts_and_timeline_newest_first(scene: Scene, signed_in: SignedIn) -> None:
    page = signed_in().get(PAGES["failed invoice"](scene)).content.decode()
    assert "Visa ending in 4242" in page
    timeline = page[page.index("<h2>Timeline</h2>") :]
    sentences = ["Payment failed", "Invoice issued", "olivia@example.com", "Invoice generated"]
    assert sorted(sentences, key=timeline.index) == sentences


def test_the_pdf_is_the_one_that_was_issued(scene: Scene, signed_in: SignedIn) -> None:
    address = reverse("portal:invoice_pdf", args=[scene.invoices["acme-january"].uuid])
    response = signed_in(Role.READ_ONLY).get(address)
    assert (response.status_code, response["Content-Type"]) == (200, "application/pdf")
    assert response.content == b"%PDF-1.7 test"
    missing = reverse("portal:invoice_pdf", args=[scene.invoices["generated"].uuid])
    assert signed_in().get(missing).status_code == 404


def test_the_pages_of_the_pdf_are_a_picture_beside_the_lines(scene: Scene, signed_in: SignedIn) -> None:
    client, draft = signed_in(Role.READ_ONLY), scene.invoices["generated"]
    address = reverse("portal:invoice_picture", args=[draft.uuid])
    assert address in client.get(reverse("portal:invoice", args=[draft.uuid])).content.decode()
    drawn = client.get(address)
    assert (drawn.status_code, drawn["Content-Type"]) == (200, "image/png")
    width, height = struct.unpack(">II", drawn.content[16:24])
    assert page_count(pdf_of(draft)) == 1
    assert (width, height) == pytest.approx((909, 1286), abs=2), "A4, at 110 dots an inch"
    LineItemFactory.create_batch(60, invoice=draft)
    pages = page_count(pdf_of(draft))
    assert pages > 1
    assert struct.unpack(">I", client.get(address).content[20:24])[0] > pages * 1280
    unreadable = reverse("portal:invoice_picture", args=[scene.invoices["acme-january"].uuid])
    assert client.get(unreadable).status_code == 404


def test_the_role_is_said_to_those_of_a_single_vendor(scene: Scene, signed_in: SignedIn) -> None:
    page = signed_in(Role.SUPPORT).get(reverse("portal:dashboard")).content.decode()
    assert page.count(f"Your role: </span>{Role.SUPPORT.label}") == 2, "in the top bar and in the account menu"


def test_names_cannot_smuggle_markup(scene: Scene, signed_in: SignedIn) -> None:
    Customer.objects.of(scene.vendor).filter(name="acme").update(display_name="<script>alert(1)</script>")
    for page in ("dashboard", "invoices", "generated invoice", "customers", "customer"):
        assert "<script>alert" not in signed_in().get(PAGES[page](scene)).content.decode(), page


@pytest.mark.parametrize("name", ["a/b", "..", "~1", "ü n", "100%", "?x=1#y"])
def test_any_code_name_has_a_page(scene: Scene, signed_in: SignedIn, name: str) -> None:
    CustomerFactory(vendor=scene.vendor, name=name, display_name="Odd one")
    response = signed_in().get(reverse("portal:customer", args=[name]))
    assert response.status_code == 200
    assert "Odd one" in response.content.decode()
