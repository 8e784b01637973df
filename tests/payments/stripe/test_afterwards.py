"""What is done to an invoice after it was issued, over the API, in the portal or in Stripe's dashboard."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import requests
from django.db.models import Q
from django.test import Client
from django.utils import timezone

from billing_portal.accounts.models import Role
from customers.models import BillingSettings, Event
from customers.settings.policy import policy_for
from invoicing.gateways import Advance, Collection
from invoicing.invoices import lifecycle
from invoicing.invoices.advance import hand_out, perform
from invoicing.invoices.schedule import next_step
from invoicing.models import Dispute, Invoice
from tests.api.client import Api
from tests.payments.stripe.conftest import OPERATOR, Shop, issued
from tests.portal.scene import make_operator

WHO = ("api", "portal", "stripe")
SENT = {"collection": Collection.SEND_INVOICE, "advance": Advance.AT_ONCE}
CHARGED = {"collection": Collection.CHARGE_AUTOMATICALLY, "advance": Advance.AT_ONCE}


def step(shop: Shop, real_now: Any = None) -> None:
    """What workers do with due invoices."""
    at = real_now or timezone.now()
    due = Q(next_action_at__lte=shop.vendor.now(at))
    hand_out(due, real_now=at, hand_over=lambda pk, token: perform(pk, token, real_now=at))


def rest(shop: Shop) -> None:
    """Our own steps, then Stripe's news, twice over."""
    step(shop)
    shop.deliver()
    shop.deliver()


def told(invoice: Invoice) -> list[str]:
    rows = Event.objects.of(invoice.vendor).filter(subject_kind="invoice", subject_id=invoice.pk)
    return list(rows.order_by("pk").values_list("kind", flat=True))


def opened(shop: Shop, card: str = "pm_card_visa", **terms: Any) -> Invoice:
    """$100.00 that the customer was sent and has not paid."""
    invoice = issued(shop, shop.customer(card), 10_000, **{**SENT, **terms})
    shop.deliver()
    return Invoice.objects.get(pk=invoice.pk)


API: dict[str, tuple[str, dict[str, Any]]] = {
    "void": ("/invoices/{}/void", {"reason": "A duplicate."}),
    "mark_uncollectible": ("/invoices/{}/status", {"status": "INVOICE_UNCOLLECTIBLE"}),
    "mark_paid": ("/invoices/{}/status", {"status": "INVOICE_PAID"}),
    "pay": ("/invoices/{}/pay", {}),
    "send": ("/invoices/{}/send", {}),
}
DASHBOARD: dict[str, Callable[[Any, str], Any]] = {
    "void": lambda stripe, id_: stripe.invoices.void_invoice(id_),
    "mark_uncollectible": lambda stripe, id_: stripe.invoices.mark_uncollectible(id_),
    "mark_paid": lambda stripe, id_: stripe.invoices.pay(id_, {"paid_out_of_band": True}),
    "pay": lambda stripe, id_: stripe.invoices.pay(id_),
    "send": lambda stripe, id_: stripe.invoices.send_invoice(id_),
}
# Our state, Stripe's, what went to the customer's card, and what our endpoints are told: once.
OUTCOME: dict[str, tuple[str, str, int, str]] = {
    "void": ("INVOICE_VOIDED", "void", 0, "invoice.voided"),
    "mark_uncollectible": ("INVOICE_UNCOLLECTIBLE", "uncollectible", 0, "invoice.uncollectible"),
    "mark_paid": ("INVOICE_PAID", "paid", 0, "invoice.paid"),
    "pay": ("INVOICE_PAID", "paid", 10_000, "invoice.paid"),
    "send": ("INVOICE_ISSUED", "open", 0, "invoice.resent"),
}


def do(shop: Shop, who: str, verb: str, invoice: Invoice) -> None:
    if who == "stripe":
        DASHBOARD[verb](shop.stripe, invoice.external_invoice_id)
    elif who == "api":
        path, body = API[verb]
        assert Api(shop.vendor).post(path.format(invoice.uuid), body).status_code in (200, 202)
    else:
        browser = Client()
        browser.force_login(make_operator(shop.vendor, Role.OWNER))
        answer = browser.post(f"/invoices/{invoice.uuid}/{verb}/", {"reason": "A duplicate.", "method": ""})
        assert answer.status_code == 302


@pytest.mark.parametrize("verb", list(OUTCOME))
@pytest.mark.parametrize("who", WHO)
def test_whoever_does_it_both_sides_end_the_same(shop: Shop, who: str, verb: str) -> None:
    invoice = opened(shop)
    do(shop, who, verb, invoice)
    rest(shop)
    invoice.refresh_from_db()
    state, there, charged, kind = OUTCOME[verb]
    assert (invoice.status, invoice.next_action, invoice.last_error) == (state, "", "")
    assert shop.stripe.invoices.retrieve(invoice.external_invoice_id).status == there
    assert sum(charge.amount for charge in shop.stripe.charges.list().data if charge.paid) == charged
    # What is sent again from the dashboard changes nothing here.
    assert told(invoice).count(kind) == (0 if (who, verb) == ("stripe", "send") else 1)
    assert "invoice.payment_failed" not in told(invoice)
    # A payment that a person asked for here is told as well as what came of it.
    assert told(invoice).count("invoice.pushed") == (1 if verb == "pay" and who != "stripe" else 0)


@pytest.mark.parametrize("verb", ["void", "mark_uncollectible", "pay", "mark_paid"])
def test_stripe_was_faster(shop: Shop, verb: str) -> None:
    """Paid in the dashboard between the button and the call: paid it is, once, and nothing is charged twice. Who says
    that the money came elsewhere is shown that it now came twice."""
    invoice = opened(shop)
    do(shop, "portal", verb, invoice)
    shop.stripe.invoices.pay(invoice.external_invoice_id)
    rest(shop)
    invoice.refresh_from_db()
    assert (invoice.status, invoice.amount_paid) == ("INVOICE_PAID", 10_000)
    assert len(shop.stripe.charges.list().data) == 1
    came_twice = verb == "mark_paid"
    assert told(invoice)[-1] == ("invoice.overpaid" if came_twice else "invoice.paid")
    assert invoice.amount_overpaid == (10_000 if came_twice else 0)
    assert told(invoice).count("invoice.paid") == 1


@pytest.mark.parametrize("fault", ["timeout_before", "timeout_after", "error_500_after"])
def test_a_lost_answer_never_charges_twice(shop: Shop, fault: str) -> None:
    invoice = opened(shop)
    lifecycle.pay(invoice, actor=OPERATOR, now=timezone.now(), real_now=timezone.now())
    shop.fail("/pay$", fault, method="POST")
    step(shop)
    invoice.refresh_from_db()
    assert (invoice.next_action, bool(invoice.action_request)) == ("collect", True)
    shop.mend()
    step(shop, timezone.now() + timedelta(minutes=1))
    invoice.refresh_from_db()
    assert (invoice.status, len(shop.stripe.charges.list().data)) == ("INVOICE_PAID", 1)
    assert invoice.action_request == {}


def test_a_chosen_method_is_charged_and_a_foreign_one_refused(shop: Shop) -> None:
    invoice = opened(shop, "pm_card_chargeCustomerFail")
    good = shop.attach(invoice.customer.stripe_customers.get(), "pm_card_mastercard", default=False)
    api = Api(shop.vendor)
    assert api.post(f"/invoices/{invoice.uuid}/pay", {"payment_method": "pm_unknown"}).status_code == 422
    api.post(f"/invoices/{invoice.uuid}/pay", {"payment_method": good})
    rest(shop)
    invoice.refresh_from_db()
    assert (invoice.status, invoice.payments.get().method) == ("INVOICE_PAID", "Mastercard ending in 4444")


def test_a_payment_under_way_is_not_made_again(shop: Shop) -> None:
    from payments.sandbox.models import StoredObject

    invoice = opened(shop)
    row = StoredObject.objects.get(object="payment_intent", customer=shop.stripe.customers.list().data[0].id)
    row.data = {**row.data, "status": "processing"}
    row.save()
    do(shop, "api", "pay", invoice)
    step(shop)
    invoice.refresh_from_db()
    assert (invoice.status, invoice.next_action, shop.stripe.charges.list().data) == ("INVOICE_ISSUED", "", [])


# Retries


def retried(shop: Shop, card: str, **settings: Any) -> Invoice:
    """Charged at once with this card, Stripe's own schedule off."""
    known = {"retry_attempts": 2, "retry_frequency_length": 1, "retry_frequency_unit": "day", **settings}
    now = timezone.now()
    BillingSettings.objects.update_or_create(vendor=shop.vendor, defaults={"updated_at": now, **known})
    invoice = issued(shop, shop.customer(card), 10_000, collection=Collection.CHARGE_AUTOMATICALLY, advance="draft")
    shop.stripe.invoices.finalize_invoice(invoice.external_invoice_id, {"auto_advance": False})
    lifecycle.pay(invoice, actor=OPERATOR, now=shop.vendor.now(now), real_now=now)
    rest(shop)
    return Invoice.objects.get(pk=invoice.pk)


def words(invoice: Invoice) -> str:
    return next_step(invoice, policy_for(invoice.customer)).sentence


def test_a_declined_payment_is_tried_again_as_the_settings_say_then_waits_for_a_person(shop: Shop) -> None:
    invoice = retried(shop, "pm_card_chargeCustomerFail")
    for tries in (1, 2):
        assert (invoice.status, invoice.next_action) == ("PAYMENT_FAILED", "collect")
        assert (invoice.payment_retry_attempt, words(invoice)) == (tries, "The payment is tried again.")
        assert invoice.next_action_at - invoice.latest_payment_attempt_at == timedelta(days=1)
        rest(shop)
        assert invoice.payments.count() == tries
        shop.move_clock(days=1, seconds=2)
        rest(shop)
        invoice = Invoice.objects.get(pk=invoice.pk)
    assert (invoice.payments.count(), invoice.next_action) == (3, "")
    assert words(invoice) == "All retries are used. Waits for a person, or for the customer's payment."
    shop.move_clock(days=5)
    rest(shop)
    assert told(invoice).count("invoice.payment_failed") == invoice.payments.count() == 3


def test_a_retry_that_succeeds(shop: Shop) -> None:
    invoice = retried(shop, "pm_card_chargeCustomerFail")
    shop.attach(invoice.customer.stripe_customers.get(), "pm_card_visa")
    shop.move_clock(days=1, seconds=2)
    rest(shop)
    invoice.refresh_from_db()
    assert (invoice.status, invoice.next_action, invoice.payment_error) == ("INVOICE_PAID", "", "")
    assert told(invoice).count("invoice.paid") == 1


def test_a_retry_is_called_off_by_voiding(shop: Shop) -> None:
    invoice = retried(shop, "pm_card_chargeCustomerFail")
    do(shop, "stripe", "void", invoice)
    rest(shop)
    shop.move_clock(days=3)
    rest(shop)
    invoice.refresh_from_db()
    assert (invoice.status, invoice.next_action, invoice.payments.count()) == ("INVOICE_VOIDED", "", 1)


def hard_decline(shop: Shop, invoice: Invoice) -> None:
    from payments.sandbox.models import StoredObject

    for row in StoredObject.objects.filter(object="charge", status="failed"):
        row.data = {**row.data, "outcome": {**row.data["outcome"], "reason": "stolen_card"}}
        row.save()


def test_what_the_bank_forbids_is_never_tried_again(shop: Shop) -> None:
    now = timezone.now()
    BillingSettings.objects.create(vendor=shop.vendor, updated_at=now, retry_attempts=5)
    invoice = issued(
        shop, shop.customer("pm_card_chargeCustomerFail"), 10_000, collection=Collection.CHARGE_AUTOMATICALLY,
        advance="draft",
    )  # fmt: skip
    shop.stripe.invoices.finalize_invoice(invoice.external_invoice_id, {"auto_advance": False})
    with pytest.raises(Exception, match="declined"):
        shop.stripe.invoices.pay(invoice.external_invoice_id)
    hard_decline(shop, invoice)
    rest(shop)
    invoice.refresh_from_db()
    assert (invoice.status, invoice.next_action, invoice.retry_advice) == ("PAYMENT_FAILED", "", "never")
    assert words(invoice) == "Waits for a person: this payment method is never tried again."
    assert "reported stolen" in invoice.payment_error


def test_where_stripe_retries_ours_stays_out(shop: Shop) -> None:
    invoice = issued(shop, shop.customer("pm_card_chargeCustomerFail"), 10_000)
    shop.move_clock(hours=2)
    rest(shop)
    invoice.refresh_from_db()
    assert (invoice.status, invoice.next_action, invoice.gateway_advances) == ("PAYMENT_FAILED", "", True)
    assert invoice.gateway_next_attempt_at is not None
    assert words(invoice) == "Stripe tries the payment again, on its own schedule."


def test_authentication_waits_for_the_customer_who_pays_on_stripes_page(shop: Shop) -> None:
    """The bank asks; nothing is retried; the customer types the card, answers the bank, and it is paid, once."""
    invoice = retried(shop, "pm_card_authenticationRequired")
    assert (invoice.status, invoice.next_action, invoice.retry_advice) == ("PAYMENT_FAILED", "", "customer")
    assert words(invoice) == "Waits for the customer to authenticate the payment."
    page = requests.get(invoice.hosted_url, timeout=10)
    assert "3D Secure" in page.text
    declined = requests.post(invoice.hosted_url, {"answer": "fail"}, timeout=10)
    assert "failed authentication" in declined.text
    card = {"number": "4000 0027 6000 3184", "expiry": "12 / 40", "cvc": "123"}
    assert "3D Secure" in requests.post(invoice.hosted_url, card, timeout=10).text
    assert "paid" in requests.post(invoice.hosted_url, {"answer": "complete"}, timeout=10).text
    rest(shop)
    invoice.refresh_from_db()
    assert (invoice.status, invoice.amount_paid) == ("INVOICE_PAID", 10_000)
    assert told(invoice).count("invoice.paid") == 1
    assert not invoice.payments.filter(state="action_required").exists()


# What comes back


def paid_apart(shop: Shop, invoice: Invoice, amount: int) -> None:
    counterpart = invoice.customer.stripe_customers.get().external_id
    method = shop.stripe.customers.retrieve(counterpart).invoice_settings.default_payment_method
    intent = shop.stripe.payment_intents.create(
        {
            "amount": amount, "currency": "usd", "customer": counterpart, "payment_method": method,
            "confirm": True, "off_session": True,
        }
    )  # fmt: skip
    shop.stripe.invoices.attach_payment(invoice.external_invoice_id, {"payment_intent": intent.id})


def test_part_payments_then_too_much(shop: Shop) -> None:
    invoice = opened(shop)
    paid_apart(shop, invoice, 4_000)
    rest(shop)
    invoice.refresh_from_db()
    assert (invoice.status, invoice.amount_paid, invoice.amount_remaining) == ("INVOICE_ISSUED", 4_000, 6_000)
    assert "$60.00 of $100.00 remain" in next_step(invoice, policy_for(invoice.customer)).because
    paid_apart(shop, invoice, 6_500)
    rest(shop)
    invoice.refresh_from_db()
    assert (invoice.status, invoice.amount_paid, invoice.amount_overpaid) == ("INVOICE_PAID", 10_000, 500)
    kinds = told(invoice)
    assert [kinds.count(k) for k in ("invoice.partly_paid", "invoice.overpaid", "invoice.paid")] == [1, 1, 1]
    event = Event.objects.get(kind="invoice.overpaid")
    assert event.payload["amount"] == 500


def test_a_payment_taken_off_again_reopens_it(shop: Shop) -> None:
    from payments.sandbox.models import StoredObject

    invoice = opened(shop)
    shop.stripe.invoices.pay(invoice.external_invoice_id)
    rest(shop)
    row = StoredObject.objects.get(stripe_id=invoice.external_invoice_id)
    row.data = {**row.data, "status": "open", "amount_paid": 0, "amount_remaining": 10_000}
    row.save()
    again = next(e for e in reversed(shop.events_sent()) if e["type"] == "invoice.paid")
    shop.deliver([{**again, "id": "evt_detached"}, {**again, "id": "evt_detached_2"}])
    invoice.refresh_from_db()
    assert (invoice.status, invoice.paid_at, invoice.amount_remaining) == ("INVOICE_ISSUED", None, 10_000)
    assert told(invoice).count("invoice.reopened") == 1


def test_finalization_failed_is_shown_and_told_once(shop: Shop) -> None:
    invoice = issued(shop, shop.customer(), 10_000)
    shop.stripe.customers.update(invoice.customer.stripe_customers.get().external_id, {"email": ""})
    shop.stripe.invoices.update(invoice.external_invoice_id, {"automatic_tax": {"enabled": True}})
    shop.move_clock(hours=2)
    rest(shop)
    invoice.refresh_from_db()
    assert invoice.status == "INVOICE_ISSUED"
    assert "location" in invoice.status_error
    assert words(invoice) == "Stripe could not finalize it. Waits for a person."
    assert told(invoice).count("invoice.finalization_failed") == 1


@pytest.mark.parametrize(("verdict", "held", "movements"), [("won", 0, [-10_000, 10_000]), ("lost", 10_000, [-10_000])])
def test_a_dispute(shop: Shop, verdict: str, held: int, movements: list[int]) -> None:
    invoice = opened(shop, "pm_card_createDispute")
    shop.stripe.invoices.pay(invoice.external_invoice_id)
    shop.deliver(list(reversed(shop.events_sent())))
    invoice = Invoice.objects.get(pk=invoice.pk)
    assert (invoice.status, invoice.dispute_state, invoice.amount_disputed) == (
        "INVOICE_PAID",
        "needs_response",
        10_000,
    )
    assert (invoice.amount_refundable, words(invoice)[:35]) == (0, "Waits for a person to answer the di")
    dispute = Dispute.objects.get()
    requests.post(
        f"{shop.sandbox.api_base}/_control/disputes/{dispute.external_id}", json={"verdict": verdict}, timeout=10
    ).raise_for_status()
    rest(shop)
    invoice = Invoice.objects.get(pk=invoice.pk)
    assert (invoice.status, invoice.dispute_state, invoice.amount_disputed) == ("INVOICE_PAID", verdict, held)
    dispute.refresh_from_db()
    assert [m.amount for m in dispute.movements.all()] == movements
    assert dispute.closed_at is not None
    kinds = told(invoice)
    assert [kinds.count(k) for k in ("invoice.disputed", "invoice.dispute_closed", "invoice.paid")] == [1, 1, 1]
    browser = Client()
    browser.force_login(make_operator(shop.vendor, Role.OWNER))
    assert re.search("Dispute", browser.get(f"/invoices/{invoice.uuid}/").content.decode())


def test_an_inquiry_moves_no_money(shop: Shop) -> None:
    invoice = opened(shop, "pm_card_createDisputeInquiry")
    shop.stripe.invoices.pay(invoice.external_invoice_id)
    rest(shop)
    dispute = Dispute.objects.get()
    assert (dispute.is_inquiry, dispute.amount_held, dispute.movements.count()) == (True, 0, 0)
    evidence = {"evidence": {"uncategorized_text": "winning_evidence"}}
    shop.stripe.disputes.update(dispute.external_id, evidence)
    rest(shop)
    dispute.refresh_from_db()
    assert (dispute.state, dispute.movements.count()) == ("closed", 0)
