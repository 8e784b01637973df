"""The buttons of an invoice: who may press them, when, and what they leave behind."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from billing_portal.accounts.models import Role
from billing_portal.accounts.roles import allows
from billing_portal.portal.invoice_verbs import ACTS, BUTTONS
from customers.events.models import Event
from invoicing.invoices.verbs import InvoiceVerb
from invoicing.models import BillingCycle, Invoice
from tests.factories import SubscriptionFactory, VendorFactory
from tests.portal.scene import Scene, collect, make_operator

SignedIn = Callable[..., Client]
VERBS = list(InvoiceVerb)
REASON = {"reason": "Sent to the wrong company.", "amount": "10.00", "due_date": "2026-03-31"}


def allowing(scene: Scene, verb: InvoiceVerb) -> Invoice:
    """An invoice whose state allows this verb: one that is out, one that is paid, or one that waits for approval."""
    if verb == InvoiceVerb.REFUND:
        return collect(scene)
    if verb == InvoiceVerb.RECORD_PAYMENT:
        return scene.invoices["late"]
    if verb == InvoiceVerb.RESUME:
        held = scene.invoices["approval"]
        held.paused_at = held.generated_at
        held.save(update_fields=["paused_at"])
        return held
    if verb == InvoiceVerb.REGENERATE:
        return with_cycle(scene.invoices["approval"])
    if verb in (InvoiceVerb.PAY, InvoiceVerb.MARK_UNCOLLECTIBLE):
        return scene.invoices["issued"]
    return scene.invoices["late" if verb == InvoiceVerb.SEND else "approval"]


def with_cycle(invoice: Invoice) -> Invoice:
    """As one that was generated at the end of a billing cycle."""
    invoice.cycle = BillingCycle.objects.create(
        vendor=invoice.vendor,
        customer=invoice.customer,
        subscription=SubscriptionFactory(customer=invoice.customer, expired_at=invoice.period_end),
        index=0,
        start=invoice.period_start,
        end=invoice.period_end,
        ended_at=invoice.period_end,
    )
    invoice.save(update_fields=["cycle"])
    return invoice


def refusing(scene: Scene, verb: InvoiceVerb) -> Invoice:
    """An invoice whose state does not: one that Stripe sends, or one that is paid."""
    if verb == InvoiceVerb.RECORD_PAYMENT:
        return scene.invoices["voided"]
    return scene.invoices["issued" if verb == InvoiceVerb.SEND else "acme-january"]


def address(invoice: Invoice, verb: InvoiceVerb | str) -> str:
    return reverse("portal:invoice_verb", args=[invoice.uuid, str(verb)])


def traces(scene: Scene) -> tuple[list[Any], int]:
    """Everything a verb could have changed."""
    return list(Invoice.objects.of(scene.vendor).order_by("pk").values()), Event.objects.of(scene.vendor).count()


@pytest.mark.parametrize("verb", VERBS)
def test_a_button_does_nothing_by_get(scene: Scene, signed_in: SignedIn, verb: InvoiceVerb) -> None:
    invoice = allowing(scene, verb)
    before = traces(scene)
    response = signed_in().get(address(invoice, verb), REASON)
    assert response.status_code == 405
    assert traces(scene) == before


@pytest.mark.parametrize("verb", VERBS)
def test_a_button_needs_the_form_it_was_shown_in(scene: Scene, verb: InvoiceVerb) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(scene.operators[Role.OWNER])
    invoice = allowing(scene, verb)
    before = traces(scene)
    assert browser.post(address(invoice, verb), REASON).status_code == 403
    assert traces(scene) == before


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("verb", VERBS)
def test_only_roles_with_the_permission(scene: Scene, signed_in: SignedIn, role: Role, verb: InvoiceVerb) -> None:
    invoice = allowing(scene, verb)
    before = traces(scene)
    response = signed_in(role).post(address(invoice, verb), REASON)
    if allows(role, BUTTONS[verb].permission):
        assert response.status_code == 302
        assert traces(scene) != before
    else:
        assert response.status_code == 403
        assert "may not" in response.content.decode()
        assert traces(scene) == before


@pytest.mark.parametrize("verb", VERBS)
def test_another_vendors_invoice_is_not_found(scene: Scene, verb: InvoiceVerb) -> None:
    stranger = Client()
    stranger.force_login(make_operator(VendorFactory(), Role.OWNER))
    invoice = allowing(scene, verb)
    before = traces(scene)
    assert stranger.post(address(invoice, verb), REASON).status_code == 404
    assert traces(scene) == before


@pytest.mark.parametrize("verb", VERBS)
def test_a_state_that_does_not_allow_it(scene: Scene, signed_in: SignedIn, verb: InvoiceVerb) -> None:
    before = traces(scene)
    invoice = refusing(scene, verb)
    response = signed_in().post(address(invoice, verb), REASON, follow=True)
    assert response.status_code == 200
    assert invoice.number in response.content.decode()
    assert "bp-message--error" in response.content.decode()
    assert traces(scene) == before


def test_an_unknown_verb(scene: Scene, signed_in: SignedIn) -> None:
    assert signed_in().post(address(scene.invoices["approval"], "refurbish")).status_code == 404


def test_approving(scene: Scene, signed_in: SignedIn) -> None:
    invoice = scene.invoices["approval"]
    page = signed_in(Role.BILLING).post(address(invoice, "approve"), follow=True).content.decode()
    invoice.refresh_from_db()
    assert invoice.is_approved
    assert "is approved." in page
    event = Event.objects.of(scene.vendor).get(kind="invoice.approved", subject_id=invoice.pk)
    assert event.actor_label == scene.operators[Role.BILLING].email


def test_voiding_keeps_the_reason(scene: Scene, signed_in: SignedIn) -> None:
    invoice = scene.invoices["late"]
    page = signed_in().post(address(invoice, "void"), REASON, follow=True).content.decode()
    invoice.refresh_from_db()
    assert invoice.status == "INVOICE_VOIDED"
    assert "Invoice INV-00131 is voided." in page
    assert "Sent to the wrong company." in page


def test_voiding_without_a_reason_is_refused(scene: Scene, signed_in: SignedIn) -> None:
    before = traces(scene)
    page = signed_in().post(address(scene.invoices["late"], "void"), {"reason": "  "}, follow=True).content.decode()
    assert "Say why" in page
    assert traces(scene) == before


def test_deleting_leads_to_the_list(scene: Scene, signed_in: SignedIn) -> None:
    response = signed_in().post(address(scene.invoices["approval"], "delete"))
    assert response["Location"] == reverse("portal:invoices")
    assert not Invoice.objects.filter(pk=scene.invoices["approval"].pk).exists()


def test_only_buttons_that_would_work_are_shown(scene: Scene, signed_in: SignedIn) -> None:
    def offered(role: Role, key: str) -> set[str]:
        page = signed_in(role).get(reverse("portal:invoice", args=[scene.invoices[key].uuid])).content.decode()
        return {verb for verb in VERBS if f'id="ask-{verb}"' in page}

    assert offered(Role.OWNER, "approval") == {
        "approve",
        "push",
        "pause",
        "change_due_date",
        "mark_paid",
        "record_payment",
        "void",
        "delete",
    }
    collect(scene)
    assert offered(Role.BILLING, "collected") == {"refund", "record_payment"}
    assert offered(Role.SUPPORT, "collected") == set()
    assert offered(Role.SUPPORT, "approval") == {"push"}
    assert offered(Role.READ_ONLY, "approval") == set()
    assert offered(Role.OWNER, "acme-january") == {"send", "record_payment"}
    assert offered(Role.SUPPORT, "late") == {"send"}
    assert offered(Role.OWNER, "issued") == {
        "pay",
        "pause",
        "mark_paid",
        "record_payment",
        "void",
        "mark_uncollectible",
    }


def test_refunding_a_part(scene: Scene, signed_in: SignedIn) -> None:
    invoice = collect(scene)
    page = signed_in().get(reverse("portal:invoice", args=[invoice.uuid])).content.decode()
    assert "Amount in USD, at most 90.00" in page
    page = signed_in().post(address(invoice, "refund"), {**REASON, "amount": "$12.34"}, follow=True).content.decode()
    assert "Invoice INV-00120 is being refunded." in page
    refund = invoice.refunds.get()
    assert (refund.amount, refund.state, refund.actor_label) == (1_234, "sending", scene.operators[Role.OWNER].email)
    for shown in ("Refund asked for", "$12.34", "Under way", "Sent to the wrong company.", "Refund in Stripe."):
        assert shown in page


@pytest.mark.parametrize("amount", ["", "abc", "90.01", "0", "-1", "1.234"])
def test_an_amount_that_cannot_be_refunded(scene: Scene, signed_in: SignedIn, amount: str) -> None:
    invoice = collect(scene)
    before = traces(scene)
    page = signed_in().post(address(invoice, "refund"), {**REASON, "amount": amount}, follow=True)
    assert "bp-message--error" in page.content.decode()
    assert traces(scene) == before


def test_every_button_can_be_pressed() -> None:
    assert set(BUTTONS) == set(ACTS) == set(VERBS)
