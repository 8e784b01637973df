"""Tax on Stripe invoices: shown as tax, equal to ours to the cent, with no call more."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connections
from django.utils import timezone

from invoicing.gateways import Advance, GatewayRejected, GatewayStatus, GatewayUnavailable, InvoiceOrder, OrderTax
from invoicing.rating.totals import totals
from payments.models import StripeTaxRate
from payments.stripe import taxes
from payments.stripe.client import client_for
from payments.stripe.gateway import StripeGateway
from payments.stripe.issuing import NO_LOCATION
from tests.payments.stripe.conftest import Shop, order_for


def taxed(
    shop: Shop, percentage: str, *amounts: int, card: str = "pm_card_visa", inclusive: bool = False, **changes: object
) -> InvoiceOrder:
    sums = totals(amounts, Decimal(percentage), inclusive=inclusive)
    tax = {"percentage": percentage, "amount": sums.tax_amount, "name": "Tax", "inclusive": inclusive}
    customer = changes.pop("customer", None) or shop.customer(card)
    return order_for(customer, *amounts, total=sums.amount_due, tax=tax, **changes)  # type: ignore[arg-type]


def test_a_rate_where_every_rounding_gives_our_figure(shop: Shop) -> None:
    first = shop.issue(taxed(shop, "19", 10000, 5000), "a")
    before = shop.mark()
    second = shop.issue(taxed(shop, "19", 10000, 5000, customer=shop.customer()), "b")
    calls = [path for _, path in shop.calls(before) if "/invoices" in path or "tax" in path]
    assert len(calls) == 3
    [rate] = shop.stripe.tax_rates.list().data
    assert (rate.percentage, rate.inclusive, rate.display_name) == (19.0, False, "Tax")
    for made in (first, second):
        invoice = shop.stripe.invoices.retrieve(made.external_id)
        assert (invoice.subtotal, invoice.total, len(invoice.lines.data)) == (15000, 17850, 2)
        assert [(tax.amount, tax.tax_rate_details.tax_rate) for tax in invoice.total_taxes] == [(2850, rate.id)]
    assert StripeTaxRate.objects.get().external_id == rate.id


def test_exact_amounts_where_roundings_differ(shop: Shop) -> None:
    """7.25 % of 3 x 0.10: 2.175 cents together, 0.725 each: 2 on the invoice, 3 line by line."""
    before = shop.mark()
    made = shop.issue(taxed(shop, "7.25", 10, 10, 10, customer=shop.customer()))
    assert len([path for _, path in shop.calls(before) if path.startswith("/v1/invoices")]) == 3
    invoice = shop.stripe.invoices.retrieve(made.external_id)
    assert (invoice.subtotal, invoice.total) == (30, 32)
    assert sum(tax.amount for tax in invoice.total_taxes) == 2
    assert [tax.amount for line in invoice.lines.data for tax in line.taxes] == [1, 1, 0]
    assert not StripeTaxRate.objects.exists()


def test_prices_that_contain_the_tax(shop: Shop) -> None:
    """By a rate of its own where every rounding agrees, and by exact amounts where not; the total is that of the
    lines either way."""
    customer = shop.customer()
    shop.issue(taxed(shop, "19", 100, customer=customer), "on-top")
    for key, amounts, tax in (("rate", [11900, 5950], 2850), ("exact", [10, 10, 10], 5)):
        order = taxed(shop, "19", *amounts, customer=customer, inclusive=True, advance=Advance.DRAFT)
        invoice = shop.stripe.invoices.retrieve(shop.issue(order, key).external_id)
        assert (invoice.subtotal, invoice.total, order.total) == (sum(amounts),) * 3
        assert {said.tax_behavior for said in invoice.total_taxes} == {"inclusive"}
        assert sum(said.amount for said in invoice.total_taxes) == tax
        assert invoice.total_excluding_tax == sum(amounts) - tax
    rates = sorted(rate.inclusive for rate in shop.stripe.tax_rates.list({"active": True}).data)
    assert rates == [False, True]


@pytest.mark.parametrize("inclusive", [False, True])
def test_a_customer_that_only_stripe_takes_for_exempt_is_not_billed_otherwise_than_here(
    shop: Shop, inclusive: bool
) -> None:
    customer = shop.customer()
    shop.stripe.customers.update(customer.stripe_customers.get().external_id, {"tax_exempt": "exempt"})
    with pytest.raises(GatewayRejected, match="marked as exempt from tax and ours is not") as refusal:
        shop.issue(taxed(shop, "19", 11900, customer=customer, inclusive=inclusive))
    assert refusal.value.code == "total_mismatch"
    assert shop.stripe.invoices.list().data == []


def test_stripes_total_is_always_ours(shop: Shop) -> None:
    rng, customer = random.Random(3), shop.customer()  # noqa: S311
    for n in range(12):
        rate = rng.choice(["19", "7.25", "8.875", "0.5", "20"])
        amounts = [rng.randint(-400, 3000) for _ in range(rng.randint(1, 8))] + [3200]
        order = taxed(shop, rate, *amounts, customer=customer, advance=Advance.DRAFT, inclusive=bool(n % 2))
        invoice = shop.stripe.invoices.retrieve(shop.issue(order, f"k-{n}").external_id)
        assert (invoice.subtotal, invoice.total) == (sum(amounts), order.total)
        assert sum(tax.amount for tax in invoice.total_taxes) == order.tax.amount


def test_only_a_rate_that_every_rounding_agrees_on_is_used() -> None:
    def lines(*amounts: int) -> tuple:  # type: ignore[type-arg]
        return tuple(order_line for order_line in _lines(*amounts))

    assert taxes.is_unambiguous(OrderTax("19", 1900), lines(10000))
    assert not taxes.is_unambiguous(OrderTax("5", 1), lines(10))  # half a cent: up, or to even
    assert not taxes.is_unambiguous(OrderTax("7.25", 2), lines(10, 10, 10))
    assert not taxes.is_unambiguous(OrderTax("19", 1901), lines(10000))


def _lines(*amounts: int):  # type: ignore[no-untyped-def]
    from tests.payments.stripe.test_lines import line

    return [line(amount) for amount in amounts]


def test_however_many_ask_at_once_there_is_one_rate(shop: Shop) -> None:
    client, tax = client_for(shop.connection), OrderTax("21", 21)

    def ask(_: int) -> str:
        """Who hears that the same request is still at work asks again later, as the schedule does."""
        try:
            for _ in range(20):
                with suppress(GatewayUnavailable):
                    return taxes.rate_id(client, tax, real_now=timezone.now())
                time.sleep(0.2)
            raise AssertionError("The request is at work for ever.")
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        ids = set(pool.map(ask, range(4)))
    assert ids == {rate.id for rate in shop.stripe.tax_rates.list().data}
    assert len(ids) == 1


@pytest.mark.parametrize("kind", ["timeout_after", "error_500_after", "timeout_before"])
def test_a_rate_whose_answer_was_lost_is_not_made_again(shop: Shop, kind: str) -> None:
    client, tax = client_for(shop.connection), OrderTax("21", 21)
    shop.fail("/v1/tax_rates$", kind, method="POST")
    with pytest.raises(GatewayUnavailable):
        taxes.rate_id(client, tax, real_now=timezone.now())
    shop.mend()
    later = timezone.now() + timedelta(days=3)  # the key is forgotten
    made = taxes.rate_id(client, tax, real_now=later)
    assert [rate.id for rate in shop.stripe.tax_rates.list().data] == [made]


def test_automatic_tax_is_stripes_figure(shop: Shop) -> None:
    customer = shop.customer()
    external = customer.stripe_customers.get().external_id
    shop.stripe.customers.update(external, {"address": {"country": "DE", "line1": "Weg 1", "city": "Bonn"}})
    before = shop.mark()
    order = order_for(customer, 9900, 1000, -900, advance=Advance.AT_ONCE, tax_by_gateway=True)
    made = shop.issue(order)
    assert [path.rpartition("/")[2] for _, path in shop.calls(before)] == ["invoices", "add_lines", "finalize", "pay"]
    assert made.status == GatewayStatus.PAID
    assert made.tax is not None
    assert (made.tax.amount, made.tax.total, made.tax.is_final) == (1900, 11900, True)
    assert made.amount_paid == 11900


def test_automatic_tax_without_an_address_fails_with_the_remedy(shop: Shop) -> None:
    with pytest.raises(GatewayRejected) as refusal:
        shop.issue(order_for(shop.customer(), 500, tax_by_gateway=True))
    assert refusal.value.message == NO_LOCATION
    assert shop.stripe.invoices.list().data == []


def test_an_address_that_is_gone_when_stripe_finalizes(shop: Shop) -> None:
    customer = shop.customer()
    external = customer.stripe_customers.get().external_id
    shop.stripe.customers.update(external, {"address": {"country": "DE"}})
    made = shop.issue(order_for(customer, 500, tax_by_gateway=True))
    shop.stripe.customers.update(external, {"address": ""})
    shop.move_clock(hours=2)
    state = StripeGateway().fetch_invoice(shop.connection.reference, made.external_id)
    assert state.status == GatewayStatus.DRAFT
    assert "location" in state.error
