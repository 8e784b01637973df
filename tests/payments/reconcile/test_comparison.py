"""The comparison with Stripe finds every kind of difference, repairs what can be, and speaks in money."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from customers.models import Customer
from invoicing.gateways import Advance, Collection
from invoicing.invoices.ledger import Dispute
from invoicing.invoices.models import Payment, Refund
from invoicing.models import Invoice
from payments.models import Difference, ReconciliationRun, SeenInvoice, StripeCustomer
from payments.reconcile import phases, report, run
from payments.reconcile.look import dispute_news, invoice_news, look
from payments.reconcile.repair import repair
from payments.stripe import connect
from payments.tasks import continue_runs
from tests.factories import VendorFactory
from tests.payments.stripe import conftest
from tests.payments.stripe.conftest import Shop

pytestmark = pytest.mark.urls("payments.stripe.urls")

K = Difference.Kind
SENT: dict[str, Any] = {"advance": Advance.AT_ONCE, "collection": Collection.SEND_INVOICE}


def compare(shop: Shop, **options: Any) -> ReconciliationRun:
    begun = run.start(shop.connection, by="a test", real_now=timezone.now(), **options)
    done = run.drive(begun.pk, clock=timezone.now)
    assert done is not None
    assert (done.state, done.last_error) == ("finished", "")
    return done


def standing() -> set[tuple[str, str]]:
    rows = Difference.objects.filter(repaired_at__isnull=True, gone_at__isnull=True)
    return set(rows.values_list("kind", "external_id"))


def issued(shop: Shop, customer: Customer, amount: int, **terms: Any) -> Invoice:
    """With a number of its own."""
    invoice = conftest.issued(shop, customer, amount, **terms)
    invoice.number = f"INV-{invoice.pk}"
    invoice.save(update_fields=["number"])
    return invoice


def sent(shop: Shop, amount: int = 1_000) -> Invoice:
    return issued(shop, shop.customer(card=""), amount, **SENT)


def charged(shop: Shop, card: str = "pm_card_visa", amount: int = 1_000) -> Invoice:
    """Paid in Stripe; we have not heard of it."""
    return issued(shop, shop.customer(card), amount, advance=Advance.AT_ONCE)


def paid(shop: Shop, card: str = "pm_card_visa") -> Invoice:
    """Paid in Stripe and here."""
    invoice = charged(shop, card)
    look(shop.connection, invoice_news(invoice.external_invoice_id), real_now=timezone.now())
    invoice.refresh_from_db()
    assert invoice.status == "INVOICE_PAID"
    return invoice


def linked(customer: Customer) -> StripeCustomer:
    return StripeCustomer.objects.get(customer=customer)


def foreign(shop: Shop, metadata: dict[str, str]) -> str:
    customer = shop.stripe.customers.create({"email": "x@example.com"})
    terms = {"customer": customer.id, "collection_method": "send_invoice", "days_until_due": 3, "metadata": metadata}
    made = shop.stripe.invoices.create({**terms, "currency": "usd"})
    shop.stripe.invoices.add_lines(made.id, {"lines": [{"amount": 70_000, "description": "Not made here"}]})
    return str(shop.stripe.invoices.finalize_invoice(made.id, {}).id)


# Each makes one difference and answers the id it is known by.


def paid_while_dropped(shop: Shop) -> str:
    return charged(shop).external_invoice_id


def voided(shop: Shop) -> str:
    invoice = sent(shop)
    shop.stripe.invoices.void_invoice(invoice.external_invoice_id)
    return invoice.external_invoice_id


def given_up(shop: Shop) -> str:
    invoice = sent(shop)
    shop.stripe.invoices.mark_uncollectible(invoice.external_invoice_id)
    return invoice.external_invoice_id


def still_open(shop: Shop) -> str:
    invoice = sent(shop)
    Invoice.objects.filter(pk=invoice.pk).update(status="INVOICE_VOIDED")
    return invoice.external_invoice_id


def another_total(shop: Shop) -> str:
    invoice = sent(shop)
    Invoice.objects.filter(pk=invoice.pk).update(amount_due=999)
    return invoice.external_invoice_id


def another_paid_amount(shop: Shop) -> str:
    invoice = paid(shop)
    Invoice.objects.filter(pk=invoice.pk).update(amount_paid=1)
    return invoice.external_invoice_id


def deleted_draft(shop: Shop) -> str:
    invoice = issued(shop, shop.customer(), 700, advance=Advance.DRAFT)
    shop.stripe.invoices.delete(invoice.external_invoice_id)
    return invoice.external_invoice_id


def names_nothing(shop: Shop) -> str:
    return foreign(shop, {"portal_invoice": str(uuid4())})


def twice(shop: Shop) -> str:
    return foreign(shop, {"portal_invoice": str(sent(shop).uuid)})


def lost_payment(shop: Shop) -> str:
    payment = paid(shop).payments.get()
    payment.delete()
    return payment.external_id or ""


def refunded(shop: Shop) -> str:
    charge = paid(shop).payments.get().external_id or ""
    return str(shop.stripe.refunds.create({"charge": charge, "amount": 400}).id)


def refund_in_another_state(shop: Shop) -> str:
    invoice = paid(shop)
    made = shop.stripe.refunds.create({"charge": invoice.payments.get().external_id or ""})
    Refund.objects.create(
        invoice=invoice, amount=1_000, external_id=made.id, state="pending", created_at=timezone.now(),
        actor_kind="gateway", actor_id="", actor_label="Stripe",
    )  # fmt: skip
    return str(made.id)


def refund_that_nobody_made(shop: Shop) -> str:
    invoice = paid(shop)
    Refund.objects.create(
        invoice=invoice, amount=300, external_id="re_nowhere", state="succeeded", created_at=timezone.now(),
        actor_kind="operator", actor_id="", actor_label="Olivia",
    )  # fmt: skip
    return "re_nowhere"


def disputed(shop: Shop) -> str:
    """Nobody told us of it; the payment we know."""
    paid(shop, "pm_card_createDispute")
    return str(shop.stripe.disputes.list().data[0].id)


def dispute_in_another_state(shop: Shop) -> str:
    external_id = disputed(shop)
    look(shop.connection, dispute_news(external_id), real_now=timezone.now())
    assert Dispute.objects.get(external_id=external_id).state == "needs_response"
    shop.stripe.disputes.close(external_id)
    return external_id


def deleted_customer(shop: Shop) -> str:
    row = linked(shop.customer(card=""))
    shop.stripe.customers.delete(row.external_id)
    return row.external_id


def detached_method(shop: Shop) -> str:
    row = linked(shop.customer())
    shop.stripe.payment_methods.detach(row.payment_methods.get().external_id)
    return row.external_id


TABLE: dict[Difference.Kind, Callable[[Shop], str]] = {
    K.INVOICE_PAID: paid_while_dropped,
    K.INVOICE_VOIDED: voided,
    K.INVOICE_UNCOLLECTIBLE: given_up,
    K.INVOICE_OPEN: still_open,
    K.INVOICE_AMOUNT: another_total,
    K.INVOICE_PAID_AMOUNT: another_paid_amount,
    K.INVOICE_MISSING: deleted_draft,
    K.INVOICE_UNKNOWN: names_nothing,
    K.INVOICE_TWICE: twice,
    K.PAYMENT_UNKNOWN: lost_payment,
    K.REFUND_UNKNOWN: refunded,
    K.REFUND_STATE: refund_in_another_state,
    K.REFUND_MISSING: refund_that_nobody_made,
    K.DISPUTE_UNKNOWN: disputed,
    K.DISPUTE_STATE: dispute_in_another_state,
    K.CUSTOMER_DELETED: deleted_customer,
    K.METHODS: detached_method,
}
# What nobody can repair from here: a person has to decide.
FOR_A_PERSON = {K.INVOICE_OPEN, K.INVOICE_AMOUNT, K.INVOICE_UNKNOWN, K.INVOICE_TWICE, K.REFUND_MISSING}


def test_every_kind_is_found_and_what_can_be_is_repaired(shop: Shop) -> None:
    assert set(TABLE) == set(K)
    made = {(kind.value, make(shop)) for kind, make in TABLE.items()}
    foreign(shop, {})
    before = list(Invoice.objects.order_by("pk").values_list("pk", "status", "amount_paid"))
    first = compare(shop)
    assert standing() == made
    assert (first.found, first.repaired) == (len(made), 0)
    assert list(Invoice.objects.order_by("pk").values_list("pk", "status", "amount_paid")) == before
    assert not SeenInvoice.objects.exists()

    said = {(line.what, line.currency): line for line in report.lines(first)}
    collected = said["Payments collected", "USD"]
    # Eight were charged: one we have not heard of, one whose payment we lost.
    assert (collected.held, collected.explained, collected.differs) == (8_000, 6_000, 2_000)
    owed = said["Invoices still open", "USD"]
    # Sent and open: given up, still open, another total, the one named twice; foreign; two that bear our name.
    assert (owed.foreign, owed.differs, owed.explained) == (70_000, 3_000 + 140_000, 1_000)
    back = said["Refunds", "USD"]
    assert (back.held, back.differs, back.percent) == (1_400, 1_400, 0)

    second = compare(shop, repairs=True)
    left = {(kind, external) for kind, external in made if kind in FOR_A_PERSON}
    assert standing() == left
    assert second.repaired == len(made) - len(left)
    for one in Difference.objects.filter(repaired_at__isnull=True):
        assert one.advice
        assert one.advice in one.last_error or not one.look
    assert Difference.objects.count() == len(made)  # found again is not found anew
    states = dict(Invoice.objects.values_list("external_invoice_id", "status"))
    ids = dict(made)
    assert states[ids["invoice_paid"]] == "INVOICE_PAID"
    assert states[ids["invoice_voided"]] == states[ids["invoice_missing"]] == "INVOICE_VOIDED"
    assert states[ids["invoice_uncollectible"]] == "INVOICE_UNCOLLECTIBLE"
    assert set(Refund.objects.values_list("amount", "state")) == {
        (300, "succeeded"),
        (400, "succeeded"),
        (1_000, "succeeded"),
    }
    assert dict(Dispute.objects.values_list("external_id", "state")) == {
        ids["dispute_unknown"]: "needs_response",
        ids["dispute_state"]: "lost",
    }
    assert linked(Customer.objects.get(stripe_customers__external_id=ids["customer_deleted"])).state == "deleted"
    assert StripeCustomer.objects.get(external_id=ids["methods"]).payment_methods.count() == 0
    assert Payment.objects.filter(external_id=ids["payment_unknown"]).exists()

    third = compare(shop)
    assert third.found == len(left)
    collected = next(line for line in report.lines(third) if line.what == "Payments collected")
    assert (collected.held, collected.explained, collected.percent) == (8_000, 8_000, 100)


def test_what_is_repaired_otherwise_is_gone_and_one_may_be_repaired_alone(shop: Shop) -> None:
    first, second = charged(shop), charged(shop)
    compare(shop)
    one = Difference.objects.get(external_id=first.external_invoice_id)
    assert repair(one, real_now=timezone.now())
    look(shop.connection, invoice_news(second.external_invoice_id), real_now=timezone.now())
    compare(shop)
    rows = {d.external_id: d for d in Difference.objects.all()}
    assert rows[first.external_invoice_id].repaired_at is not None
    assert rows[second.external_invoice_id].gone_at is not None
    assert standing() == set()


def test_killed_on_any_page_it_goes_on_and_finds_the_same(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("payments.stripe.client.PAGE", 2)
    monkeypatch.setattr(phases, "SINGLY", 2)
    invoices = [charged(shop) for _ in range(3)] + [sent(shop)]
    begun = run.start(shop.connection, by="a test", real_now=timezone.now())
    record = run._record
    deaths: list[int] = []

    def dying(*args: Any) -> None:
        """Before and after each page is written, by turns, the process dies."""
        deaths.append(len(deaths))
        if len(deaths) % 3 == 0:
            raise KeyboardInterrupt
        record(*args)
        if len(deaths) % 3 == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(run, "_record", dying)
    later: list[timedelta] = [timedelta(0)]

    def clock() -> datetime:
        return timezone.now() + later[0]

    done = None
    while done is None or done.state == "running":
        assert len(deaths) < 60
        try:
            done = run.drive(begun.pk, clock=clock)
        except KeyboardInterrupt:
            assert run.drive(begun.pk, clock=clock) is None  # its lease still runs
            later[0] += timedelta(minutes=10)
    assert len(deaths) > 6
    assert {kind for kind, _ in standing()} == {"invoice_paid"}
    assert len(standing()) == 3
    sums = {line.what: (line.held, line.explained, line.differs) for line in report.lines(done)}
    assert sums == {"Payments collected": (3_000, 0, 3_000), "Invoices still open": (1_000, 1_000, 0)}
    assert done.objects_seen == len(invoices) + 3 + len(invoices)


def test_a_page_costs_the_same_number_of_queries_whatever_is_on_it(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    record = run._record
    page_cost: dict[str, list[int]] = {}
    monkeypatch.setattr("payments.stripe.limits.limiter.wait", lambda *args: None)

    def counted(present: ReconciliationRun, *args: Any) -> None:
        with CaptureQueriesContext(database) as queries:
            phases.PHASES[present.phase](present)
            record(present, *args)
        page_cost.setdefault(present.phase, []).append(len(queries))

    monkeypatch.setattr(run, "_record", counted)
    for _ in range(2):
        for _ in range(2):
            charged(shop)
            deleted_draft(shop)
            refunded(shop)
        compare(shop)
    assert set(page_cost) == set(phases.NAMES)
    for phase, (few, many) in page_cost.items():
        assert many <= few + 1, phase  # differences that stand already are updated, with one statement


def test_accounts_are_kept_apart_and_one_out_of_reach_does_not_stop_the_other(shop: Shop) -> None:
    stranger = connect.attach(VendorFactory.create(), "acct_other", livemode=False, real_now=timezone.now())
    external = paid_while_dropped(shop)
    out, err = StringIO(), StringIO()
    with pytest.raises(CommandError, match="acct_other"):
        call_command("reconcile", stdout=out, stderr=err)
    assert "no longer lets us act" in ReconciliationRun.objects.get(connection=stranger).last_error
    assert [d.vendor for d in Difference.objects.all()] == [shop.vendor]
    assert f"Paid in Stripe {external}: here Issued, $0.00 of $10.00 paid; in Stripe Paid, $10.00 of $10.00" in (
        out.getvalue()
    )
    assert "Payments collected: Stripe holds $10.00; explained by our records $0.00 (0 %)" in out.getvalue()
    out = StringIO()
    call_command("reconcile", vendor=shop.vendor.name, repair=True, dry_run=True, stdout=out, stderr=err)
    assert "Can be repaired." in out.getvalue()
    assert Invoice.objects.get().status == "INVOICE_ISSUED"
    call_command("reconcile", vendor=shop.vendor.name, repair=True, stdout=out, stderr=err)
    assert "Repaired." in out.getvalue()
    assert Invoice.objects.get().status == "INVOICE_PAID"
    with pytest.raises(CommandError, match="no vendor"):
        call_command("reconcile", vendor="nobody")


def test_out_of_reach_it_waits_and_the_next_tick_goes_on(shop: Shop) -> None:
    charged(shop)
    shop.fail("/v1/refunds", times=1000)
    begun = run.start(shop.connection, by="a test", real_now=timezone.now())
    continue_runs()
    begun.refresh_from_db()
    assert (begun.state, begun.phase, begun.failures) == ("running", "refunds", 1)
    assert "did not answer" in begun.last_error
    assert run.waiting(real_now=timezone.now()) == []
    assert run.start(shop.connection, by="b", real_now=timezone.now()).pk == begun.pk
    shop.mend()
    ReconciliationRun.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
    continue_runs()
    begun.refresh_from_db()
    assert (begun.state, begun.last_error, begun.claim_token) == ("finished", "", None)
    assert len(standing()) == 1


def test_what_is_being_changed_at_this_moment_is_no_difference(shop: Shop) -> None:
    invoice = sent(shop)
    shop.stripe.invoices.void_invoice(invoice.external_invoice_id)
    Invoice.objects.filter(pk=invoice.pk).update(next_action="mark_paid_at_gateway")
    compare(shop)
    assert standing() == set()
    old = run.start(shop.connection, by="x", real_now=timezone.now() - timedelta(days=91))
    run.drive(old.pk, clock=timezone.now)
    run.forget(real_now=timezone.now())
    assert not ReconciliationRun.objects.filter(pk=old.pk).exists()
    assert ReconciliationRun.objects.count() == 1
