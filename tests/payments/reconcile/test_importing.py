"""An account that was in use before: its customers and open invoices come in once, and nothing is written to it."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from billing_portal.accounts.models import Role
from customers.models import Customer
from invoicing.gateways import Advance, Collection
from invoicing.models import Invoice
from payments.models import Difference, ImportedInvoice, ReconciliationRun, StripeCustomer
from payments.reconcile import report, run
from payments.stripe import methods
from tests.factories import CustomerFactory, VendorFactory
from tests.payments.stripe.conftest import Shop, issued
from tests.portal.scene import make_operator

WRITES = ("POST", "DELETE")


def run_import(**options: Any) -> str:
    out = StringIO()
    call_command("import_stripe", stdout=out, **options)
    return out.getvalue()


def there(shop: Shop, name: str = "", email: str = "", **fields: Any) -> str:
    said = {key: value for key, value in {"name": name, "email": email}.items() if value}
    return str(shop.stripe.customers.create({**said, **fields}).id)


def owes(shop: Shop, customer: str, *amounts: int) -> str:
    terms = {"customer": customer, "collection_method": "send_invoice", "days_until_due": 9, "currency": "usd"}
    made = shop.stripe.invoices.create({**terms, "description": "Old agreement"})
    lines = [{"amount": amount, "description": f"Item {n}"} for n, amount in enumerate(amounts)]
    shop.stripe.invoices.add_lines(made.id, {"lines": lines})
    return str(shop.stripe.invoices.finalize_invoice(made.id, {}).id)


def names() -> dict[str, str]:
    rows = StripeCustomer.objects.filter(state="linked")
    return dict(rows.values_list("external_id", "customer__name"))


def test_customers_and_what_they_owe_come_in_once(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("payments.stripe.client.PAGE", 2)
    ours = issued(shop, shop.customer(card=""), 900, advance=Advance.AT_ONCE, collection=Collection.SEND_INVOICE)
    address: Any = {"line1": "1 Main Street", "city": "Springfield", "country": "US"}
    acme = there(shop, "Acme Inc.", "ap@acme.example", address=address, phone="+1 555 0100")
    second, nameless = there(shop, "Acme, Inc"), there(shop)
    shop.stripe.payment_methods.attach("pm_card_visa", {"customer": acme})
    bill = owes(shop, acme, *range(100, 112))
    before = shop.mark()

    dry = run_import(dry_run=True)
    assert f"created       {acme}  Acme Inc.: as acme-inc" in dry
    assert f"imported      {bill}" in dry
    assert "made here" in dry
    assert "Nothing was written." in dry
    assert Customer.objects.count() == 1
    assert not ImportedInvoice.objects.exists()

    run_import()
    assert not [call for call in shop.calls(before) if call[0] in WRITES]
    found = names()
    assert found[nameless] == nameless
    assert {found[acme], found[second]} == {"acme-inc", f"acme-inc-{acme.removeprefix('cus_')}"}
    customer = Customer.objects.get(stripe_customers__external_id=acme)
    assert (customer.email, customer.city, customer.phone) == ("ap@acme.example", "Springfield", "+1 555 0100")
    assert StripeCustomer.objects.get(external_id=acme).payment_methods.get().last4 == "4242"
    copy = ImportedInvoice.objects.get()
    assert (copy.customer, copy.external_id, copy.status, len(copy.lines)) == (customer, bill, "open", 12)
    assert (copy.total, copy.number != "", copy.description) == (sum(range(100, 112)), True, "Old agreement")
    assert list(Invoice.objects.values_list("pk", flat=True)) == [ours.pk]  # none of ours came of it

    again = run_import()
    assert "created " not in again
    assert "imported before" in again
    assert (Customer.objects.count(), ImportedInvoice.objects.count()) == (4, 1)


@pytest.mark.urls("payments.stripe.urls")
def test_what_was_imported_follows_stripe_and_is_explained(shop: Shop) -> None:
    acme = there(shop, "Acme", "ap@acme.example")
    bill, dropped = owes(shop, acme, 5_000), owes(shop, acme, 700)
    run_import()
    shop.stripe.invoices.pay(bill, {"paid_out_of_band": True})
    shop.deliver([e for e in shop.events_sent() if e["type"] == "invoice.paid"])
    copy = ImportedInvoice.objects.get(external_id=bill)
    assert (copy.status, copy.amount_remaining) == ("paid", 0)
    shop.stripe.invoices.void_invoice(dropped)  # of this we are not told
    for repairs in (False, True):
        begun = run.start(shop.connection, by="a test", real_now=copy.as_of, repairs=repairs)
        run.drive(begun.pk, clock=timezone.now)
    assert ImportedInvoice.objects.get(external_id=dropped).status == "void"
    assert Difference.objects.get().repaired_at is not None
    assert [line.foreign for line in report.lines(ReconciliationRun.objects.latest("pk"))] == []


def test_our_customers_are_recognized_and_doubts_are_left_to_a_person(shop: Shop) -> None:
    mine = CustomerFactory(vendor=shop.vendor, name="acme", email="AP@acme.example", display_name="Acme")
    CustomerFactory(vendor=VendorFactory(), name="stranger", email="x@strange.example")
    acme = there(shop, "Acme", "ap@Acme.example")
    strange = there(shop, "Strange", "x@strange.example")
    twins = there(shop, "Twins", "twins@example.com")
    for name in ("castor", "pollux"):
        CustomerFactory(vendor=shop.vendor, name=name, email="twins@example.com")
    second = there(shop, "Acme again", "ap@acme.example")
    with pytest.raises(CommandError, match="name one of the vendors"):
        run_import()
    told = run_import(vendor=shop.vendor.name, map_by="email")
    assert f"skipped       {twins}  Twins: several customers have the same email: castor, pollux." in told
    found = names()
    assert set(found) == {strange, second}  # newest first: the older twin of acme finds it taken
    assert found[second] == mine.name
    assert f"skipped       {acme}  Acme: acme already has {second}." in told
    with pytest.raises(CommandError, match="no vendor"):
        run_import(vendor="nobody")


def test_killed_between_two_customers_it_goes_on(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    made = [there(shop, f"Customer {n}") for n in range(3)]
    refresh = methods.refresh
    calls: list[int] = []

    def dying(*args: Any, **kwargs: Any) -> bool:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return bool(refresh(*args, **kwargs))

    monkeypatch.setattr("payments.stripe.methods.refresh", dying)
    with pytest.raises(KeyboardInterrupt):
        run_import()
    assert Customer.objects.count() == 2
    run_import()
    assert set(names()) == set(made)
    assert Customer.objects.count() == 3
    assert not StripeCustomer.objects.filter(methods_as_of=None).exists()


def test_the_copies_are_shown_on_the_customers_page(shop: Shop) -> None:
    owes(shop, there(shop, "Acme", "ap@acme.example"), 5_000)
    run_import()
    browser = Client()
    browser.force_login(make_operator(shop.vendor, Role.READ_ONLY))
    page = browser.get(reverse("portal:customer_invoices", args=["acme"])).content.decode()
    assert "In Stripe from before" in page
    assert "$50.00" in page
    assert "Nothing here issues, charges or voids them." in page
