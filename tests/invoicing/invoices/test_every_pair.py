"""Every state and everything that can be asked in it: the API, the buttons, the schedule and Stripe's news all come to
the same end, or to the same refusal with nothing changed.

What is allowed is written down here once more, by hand, so that the code cannot agree with itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any
from unittest import mock

import pytest
from django.contrib.messages import get_messages
from django.db import transaction
from django.test import Client
from django.urls import reverse

from billing_portal.accounts.models import Role
from billing_portal.portal.invoice_verbs import ACTS
from customers.actors import Actor, ActorKind
from customers.claims import claim
from customers.errors import Conflict
from customers.events.models import Event
from customers.models import Vendor, WebhookDelivery
from invoicing.gateways import GatewayInvoice, GatewayStatus
from invoicing.invoices.advance import perform
from invoicing.invoices.collection import settle
from invoicing.invoices.states import InvoiceStatus
from invoicing.invoices.verbs import InvoiceVerb, available_actions
from invoicing.models import BillingCycle, Invoice, LineItem, OutgoingEmail, Payment
from tests.api.client import Api
from tests.factories import START, CustomerFactory, InvoiceFactory, LineItemFactory, SubscriptionFactory, VendorFactory
from tests.portal.scene import make_operator

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
OLIVIA = Actor(ActorKind.OPERATOR, "olivia@example.com", "1")
S, V = InvoiceStatus, InvoiceVerb

UNISSUED = {S.GENERATED, S.INVOICING_FAILED}
OUT = {S.ISSUED, S.PAYMENT_FAILED}
UNPAID = {*UNISSUED, *OUT, S.UNCOLLECTIBLE}

# Invoices that wait for approval, without a number before they are issued. In which states is each verb possible,
# where we e-mailed the invoice and where Stripe holds it?
ALLOWED: Mapping[InvoiceVerb, tuple[set[InvoiceStatus], set[InvoiceStatus]]] = {
    V.APPROVE: (UNISSUED, UNISSUED),
    V.PUSH: (UNISSUED, {*UNISSUED, S.PAYMENT_FAILED}),
    V.PAUSE: ({*UNISSUED, *OUT}, {*UNISSUED, *OUT}),
    V.RESUME: (set(), set()),
    V.PAY: (set(), {*OUT, S.UNCOLLECTIBLE}),
    V.CHANGE_DUE_DATE: (UNISSUED, UNISSUED),
    V.SEND: ({*OUT, S.PAID, S.UNCOLLECTIBLE}, OUT),
    V.REGENERATE: (UNISSUED, UNISSUED),
    V.MARK_PAID: (UNPAID, UNPAID),
    V.RECORD_PAYMENT: ({*UNPAID, S.PAID}, {*UNPAID, S.PAID}),
    V.VOID: (UNPAID, UNPAID),
    V.MARK_UNCOLLECTIBLE: (OUT, OUT),
    V.DELETE: (UNISSUED, UNISSUED),
    V.REFUND: (set(), {S.PAID}),
}

# How the API is asked; the answer of a write that is allowed has a status below 300.
BY_API: Mapping[InvoiceVerb, Callable[[Api, Invoice], Any]] = {
    V.APPROVE: lambda api, i: api.post(f"/invoices/{i.uuid}/approve"),
    V.PUSH: lambda api, i: api.post(f"/invoices/{i.uuid}/retries"),
    V.PAUSE: lambda api, i: api.post(f"/invoices/{i.uuid}/pause"),
    V.RESUME: lambda api, i: api.post(f"/invoices/{i.uuid}/resume"),
    V.PAY: lambda api, i: api.post(f"/invoices/{i.uuid}/pay"),
    V.CHANGE_DUE_DATE: lambda api, i: api.post(f"/invoices/{i.uuid}/due_date", {"due_date": "2026-03-31"}),
    V.REGENERATE: lambda api, i: api.post(f"/invoices/{i.uuid}/regenerate"),
    V.SEND: lambda api, i: api.post(f"/invoices/{i.uuid}/send"),
    V.MARK_PAID: lambda api, i: api.post(f"/invoices/{i.uuid}/status", {"status": "INVOICE_PAID"}),
    V.RECORD_PAYMENT: lambda api, i: api.post(f"/invoices/{i.uuid}/payments", {"amount": 1500, "method": "Wire"}),
    V.VOID: lambda api, i: api.post(f"/invoices/{i.uuid}/void", {"reason": "Set over the API."}),
    V.MARK_UNCOLLECTIBLE: lambda api, i: api.post(f"/invoices/{i.uuid}/status", {"status": "INVOICE_UNCOLLECTIBLE"}),
    V.DELETE: lambda api, i: api.delete(f"/invoices/{i.uuid}"),
    V.REFUND: lambda api, i: api.post("/refund", {"invoice_uuid": str(i.uuid), "amount": 400, **REASON}),
}
REASON: dict[str, Any] = {"reason": "Set over the API."}
ARGUMENTS: Mapping[InvoiceVerb, dict[str, Any]] = {
    V.CHANGE_DUE_DATE: {"day": date(2026, 3, 31)},
    V.RECORD_PAYMENT: {"amount": 1500, "means": "Wire"},
    V.PAUSE: REASON,
    V.VOID: REASON,
    V.MARK_UNCOLLECTIBLE: REASON,
    V.REFUND: {"amount": 400, **REASON},
}
FORM = {"reason": "Set over the API.", "amount": "4.00", "due_date": "2026-03-31", "means": "Wire"}


class Desk:
    """One vendor, and the three ways in."""

    def __init__(self) -> None:
        self.vendor: Vendor = VendorFactory()
        self.api = Api(self.vendor)
        self.browser = Client()
        self.browser.force_login(make_operator(self.vendor, Role.OWNER))
        self.customer = CustomerFactory(vendor=self.vendor)

    def invoice(self, state: InvoiceStatus, *, in_stripe: bool = False, **fields: Any) -> Invoice:
        is_out = state not in UNISSUED
        at = NOW - timedelta(days=3)
        waiting = {"next_action": "approve", "next_action_at": None, "is_approved": False}
        held = {"gateway": "stripe", "gateway_account": "acct_1", "external_invoice_id": "in_1"}
        invoice: Invoice = InvoiceFactory(
            customer=self.customer,
            status=state,
            number="INV-1" if is_out else "",
            issued_at=at if is_out else None,
            paid_at=at if state == S.PAID else None,
            voided_at=at if state == S.VOIDED else None,
            amount_paid=1000 if state == S.PAID else 0,
            cycle=None if is_out else self.cycle(),
            **({"next_action": "", "next_action_at": None} if is_out else waiting),
            **({**held, "gateway_collection": "send_invoice"} if in_stripe else {}),
            **fields,
        )
        LineItemFactory(invoice=invoice, name="Base price")
        if in_stripe and state == S.PAID:
            Payment.objects.create(invoice=invoice, state="succeeded", amount=1000, external_id="py_1", occurred_at=at)
        return invoice

    def cycle(self) -> BillingCycle:
        return BillingCycle.objects.create(
            vendor=self.vendor,
            customer=self.customer,
            subscription=SubscriptionFactory(customer=self.customer),
            index=0,
            start=START,
            end=NOW - timedelta(days=5),
            ended_at=NOW - timedelta(days=5),
        )

    def by_api(self, verb: InvoiceVerb, invoice: Invoice) -> str:
        response = BY_API[verb](self.api, invoice)
        body = json.loads(response.content)
        if response.status_code < 300:
            return ""
        assert (response.status_code, body["errors"]["kind"]) == (409, "illegal_transition"), body
        return str(body["message"])

    def by_button(self, verb: InvoiceVerb, invoice: Invoice) -> str:
        self.browser.cookies.pop("messages", None)
        form = FORM | ({"amount": "15.00"} if verb == V.RECORD_PAYMENT else {})
        response = self.browser.post(reverse("portal:invoice_verb", args=[invoice.uuid, verb.value]), form)
        assert response.status_code == 302
        [message] = get_messages(response.wsgi_request)
        return str(message) if message.level_tag == "error" else ""

    def by_schedule(self, verb: InvoiceVerb, invoice: Invoice) -> str:
        """As the schedule and other code call the verb."""
        try:
            ACTS[verb](invoice, actor=OLIVIA, now=NOW, real_now=NOW, **ARGUMENTS.get(verb, {}))
        except Conflict as refusal:
            return refusal.message if refusal.code == "illegal_transition" else refusal.code
        return ""


@pytest.fixture
def desk(db: None) -> Iterator[Desk]:
    with mock.patch("django.utils.timezone.now", return_value=NOW):
        yield Desk()


UNLIKE = frozenset("id uuid message_id transaction_id refund refund_id invoice_id subject_id paused_by".split()) | {
    f"actor_{part}" for part in ("id", "kind", "label")
}


def plain(value: Any) -> Any:
    """Without what tells one try from the next."""
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items() if name not in UNLIKE}
    return value


def traces() -> list[Any]:
    """All that a verb may leave behind."""
    kinds = (Invoice, LineItem, Payment, OutgoingEmail, Event, WebhookDelivery)
    rows = [[plain(dict(row)) for row in kind.objects.order_by("pk").values()] for kind in kinds]
    refunds = [list(invoice.refunds.values("amount", "state", "reason")) for invoice in Invoice.objects.order_by("pk")]
    return [*rows, refunds]


@contextmanager
def taken_back() -> Iterator[None]:
    """What happens inside has not happened afterwards."""
    point = transaction.savepoint()
    yield
    transaction.savepoint_rollback(point)


@pytest.mark.parametrize(
    ("state", "in_stripe"),
    [(state, in_stripe) for state in S for in_stripe in (False, True) if state not in UNISSUED or not in_stripe],
)
def test_every_verb_in_every_state(desk: Desk, state: InvoiceStatus, *, in_stripe: bool) -> None:
    invoice = desk.invoice(state, in_stripe=in_stripe)
    assert set(ALLOWED) == set(BY_API) == set(V)
    assert set(available_actions(invoice)) == {verb for verb in V if state in ALLOWED[verb][in_stripe]}
    for verb in V:
        ask_everywhere(desk, verb, invoice, is_allowed=state in ALLOWED[verb][in_stripe])


@pytest.mark.parametrize("state", sorted({*UNISSUED, *OUT}))
def test_what_is_held_back_is_resumed_first(desk: Desk, state: InvoiceStatus) -> None:
    invoice = desk.invoice(state, in_stripe=state == S.PAYMENT_FAILED, paused_at=NOW, pause_reason="A question.")
    for verb, is_allowed in {V.RESUME: True, V.PAUSE: False, V.PUSH: False}.items():
        ask_everywhere(desk, verb, invoice, is_allowed=is_allowed)


def ask_everywhere(desk: Desk, verb: InvoiceVerb, invoice: Invoice, *, is_allowed: bool) -> None:
    """All ways in come to the same end, or to the same refusal."""
    before, ends = traces(), []
    for way in (desk.by_api, desk.by_button, desk.by_schedule):
        with taken_back():
            ends.append((way(verb, Invoice.objects.get(pk=invoice.pk)), traces()))
    [sentence] = {refusal for refusal, _ in ends}
    assert ends[0][1] == ends[1][1] == ends[2][1], verb
    assert (sentence == "") == is_allowed, (verb, sentence)
    assert (ends[0][1] != before) == is_allowed, verb
    assert is_allowed or sentence.startswith(("INV-1 ", "Draft ", "The due date of ")), (verb, sentence)


AT_STRIPE = {
    GatewayStatus.PAID: (S.PAID, {*UNPAID, S.VOIDED}),
    GatewayStatus.VOID: (S.VOIDED, UNPAID),
    GatewayStatus.UNCOLLECTIBLE: (S.UNCOLLECTIBLE, {*OUT, S.VOIDED}),
}
"""What Stripe's word makes of ours, and from which states. Its word goes further than a person's: an invoice may be
paid at the moment somebody here voids it."""


@pytest.mark.parametrize("state", list(S))
def test_every_word_of_stripe_in_every_state(desk: Desk, state: InvoiceStatus) -> None:
    invoice = desk.invoice(state, in_stripe=True)
    before = traces()
    for word, (to, origins) in AT_STRIPE.items():
        with taken_back():
            paid = 1000 if word == GatewayStatus.PAID else invoice.amount_paid
            why = settle("in_1", GatewayInvoice("in_1", word, "send_invoice", amount_paid=paid), real_now=NOW)
            after = Invoice.objects.get(pk=invoice.pk).state
            events = Event.objects.count()
        if state in origins:
            assert (why, after, events) == ("", to, 1), word
        elif state == to:
            assert (why, after, events) == ("", state, 0), word
        else:
            assert (why, after, events) == (
                f"Ours is {state.label.lower()}, Stripe's {word}: left alone.", state, 0,
            ), word  # fmt: skip
    assert traces() == before


@pytest.mark.parametrize("state", list(S))
def test_the_schedule_issues_what_is_not_issued_and_nothing_else(desk: Desk, state: InvoiceStatus) -> None:
    """Whatever a stale plan says."""
    invoice = desk.invoice(state)
    Invoice.objects.filter(pk=invoice.pk).update(next_action="issue", next_action_at=NOW)
    token, _ = claim(Invoice.objects.all(), real_now=NOW, lease=timedelta(minutes=1), limit=1)
    perform(invoice.pk, token, real_now=NOW)
    kinds = [event.kind for event in Event.objects.all()]
    assert Invoice.objects.get(pk=invoice.pk).state == state
    assert kinds == (["invoice.kept"] if state in UNISSUED else [])
