"""The life of an invoice in the sandbox."""

import pytest
import requests
import stripe

from tests.sandbox_server import SANDBOX_ONLY

pytestmark = SANDBOX_ONLY


def test_a_draft_has_no_number_and_no_page(client, customer, draft):
    invoice = draft(customer())
    assert (invoice.status, invoice.total, invoice.amount_due) == ("draft", 2500, 2500)
    assert invoice.number is None
    assert invoice.hosted_invoice_url is None
    assert invoice.effective_at is None
    assert invoice.automatically_finalizes_at is None


def test_lines_keep_their_order_and_come_in_pages(client, customer):
    made = client.v1.invoices.create({"customer": customer().id, "currency": "eur"})
    lines = [
        {"amount": n, "description": f"line {n}", "metadata": {"n": str(n)}, "period": {"start": 1, "end": 2}}
        for n in range(1, 251)
    ]
    client.v1.invoices.add_lines(made.id, {"lines": lines[:100]})
    full = client.v1.invoices.add_lines(made.id, {"lines": lines[100:], "invoice_metadata": {"portal": "1"}})
    assert full.total == sum(range(1, 251))
    assert full.metadata.to_dict() == {"portal": "1"}
    assert (len(full.lines.data), full.lines.has_more) == (10, True)
    listed = list(client.v1.invoices.line_items.list(made.id, {"limit": 100}).auto_paging_iter())
    assert [line.description for line in listed] == [line["description"] for line in lines]
    assert listed[0].period.to_dict() == {"start": 1, "end": 2}
    with pytest.raises(stripe.InvalidRequestError, match="at most 250"):
        client.v1.invoices.add_lines(made.id, {"lines": [{"amount": 1}]})


def test_quantities_are_shown_exactly(client, customer):
    made = client.v1.invoices.create({"customer": customer().id, "currency": "usd"})
    lines = [{"amount": 8638, "quantity_decimal": "1234.5"}, {"amount": -100, "quantity": 3}]
    full = client.v1.invoices.add_lines(made.id, {"lines": lines})
    assert [(li.quantity, str(li.quantity_decimal)) for li in full.lines.data] == [(1234, "1234.5"), (3, "3")]
    assert full.total == 8538


def test_finalizing_numbers_dates_and_freezes(client, customer, draft):
    owner = customer(name="Ada")
    invoice = draft(owner)
    client.v1.customers.update(owner.id, {"name": "Ada Lovelace"})
    final = client.v1.invoices.finalize_invoice(invoice.id, {"expand": ["payments"]})
    assert final.status == "open"
    assert final.number == f"{owner.invoice_prefix}-0001"
    assert final.customer_name == "Ada Lovelace"
    assert final.effective_at == final.status_transitions.finalized_at
    payment = final.payments.data[0]
    assert (payment.is_default, payment.status, payment.amount_requested) == (True, "open", 2500)
    intent = client.v1.payment_intents.retrieve(payment.payment.payment_intent)
    assert (intent.status, intent.amount, intent.customer) == ("requires_payment_method", 2500, owner.id)
    second = client.v1.invoices.finalize_invoice(draft(owner).id)
    assert second.number == f"{owner.invoice_prefix}-0002"
    page = requests.get(final.hosted_invoice_url, timeout=5)
    assert final.number in page.text


@pytest.mark.parametrize(
    ("call", "params"),
    [
        ("finalize_invoice", {}),
        ("update", {"description": "x"}),
        ("add_lines", {"lines": [{"amount": 1}]}),
        ("delete", {}),
    ],
)
def test_a_final_invoice_cannot_be_edited_or_deleted(client, customer, draft, call, params):
    invoice = client.v1.invoices.finalize_invoice(draft(customer()).id)
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        getattr(client.v1.invoices, call)(invoice.id, params)
    assert refusal.value.code == "invoice_not_editable"


def test_metadata_stays_editable(client, customer, draft):
    invoice = client.v1.invoices.finalize_invoice(draft(customer()).id)
    assert client.v1.invoices.update(invoice.id, {"metadata": {"a": "b"}}).metadata.to_dict() == {"a": "b"}


def test_a_draft_can_be_deleted(client, customer, draft, event_types):
    invoice = draft(customer())
    assert client.v1.invoices.delete(invoice.id).deleted is True
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        client.v1.invoices.retrieve(invoice.id)
    assert refusal.value.http_status == 404
    assert event_types()[-1] == "invoice.deleted"


def test_nothing_due_is_paid_at_once(client, customer, event_types):
    invoice = client.v1.invoices.create({"customer": customer().id})
    paid = client.v1.invoices.finalize_invoice(invoice.id)
    assert (paid.status, paid.auto_advance) == ("paid", False)
    assert client.v1.invoice_payments.list({"invoice": invoice.id}).data == []
    assert "invoice.paid" in event_types()


def test_a_sum_too_small_to_charge_is_owed_next_time(client, customer, draft):
    owner = customer()
    assert client.v1.invoices.finalize_invoice(draft(owner, 30).id).status == "paid"
    assert client.v1.customers.retrieve(owner.id).balance == 30
    bigger = client.v1.invoices.finalize_invoice(draft(owner, 1000).id)
    assert (bigger.total, bigger.starting_balance, bigger.amount_due) == (1000, 30, 1030)
    assert client.v1.customers.retrieve(owner.id).balance == 0


def test_credit_lowers_what_is_due_and_void_gives_it_back(client, customer, draft):
    owner = customer(balance=-400)
    invoice = client.v1.invoices.finalize_invoice(draft(owner, 1000).id)
    assert (invoice.total, invoice.amount_due, invoice.ending_balance) == (1000, 600, 0)
    assert client.v1.customers.retrieve(owner.id).balance == 0
    client.v1.invoices.void_invoice(invoice.id)
    assert client.v1.customers.retrieve(owner.id).balance == -400


def test_sending_needs_an_email_address(client, customer):
    nobody = client.v1.customers.create({"name": "No mail"})
    sending = {"customer": nobody.id, "collection_method": "send_invoice", "days_until_due": 14}
    with pytest.raises(stripe.InvalidRequestError, match="email"):
        client.v1.invoices.create(sending)
    client.v1.customers.update(nobody.id, {"email": "a@example.com"})
    made = client.v1.invoices.create(sending)
    client.v1.invoices.add_lines(made.id, {"lines": [{"amount": 1000}]})
    client.v1.customers.update(nobody.id, {"email": ""})
    with pytest.raises(stripe.InvalidRequestError, match="email"):
        client.v1.invoices.finalize_invoice(made.id)
    assert client.v1.invoices.retrieve(made.id).status == "draft"


def test_a_draft_can_become_one_that_is_sent(client, customer, draft, event_types):
    invoice = draft(customer())
    changed = client.v1.invoices.update(
        invoice.id, {"collection_method": "send_invoice", "days_until_due": 14, "auto_advance": True}
    )
    assert changed.due_date == changed.created + 14 * 86400
    final = client.v1.invoices.finalize_invoice(invoice.id, {"auto_advance": False})
    assert final.due_date == final.status_transitions.finalized_at + 14 * 86400
    assert client.v1.invoices.send_invoice(invoice.id).status == "open"
    assert event_types()[-1] == "invoice.sent"


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"days_until_due": 3}, "days_until_due"),
        ({"collection_method": "send_invoice"}, "days_until_due"),
        ({"collection_method": "send_invoice", "days_until_due": 3, "due_date": 2_000_000_000}, None),
        ({"automatically_finalizes_at": 2_000_000_000}, "automatically_finalizes_at"),
    ],
)
def test_combinations_that_make_no_sense_are_refused(client, customer, params, param):
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        client.v1.invoices.create({"customer": customer().id, **params})
    assert refusal.value.param == param


def test_only_invoices_to_be_sent_can_be_sent(client, customer, draft):
    with pytest.raises(stripe.InvalidRequestError, match="collection method"):
        client.v1.invoices.send_invoice(draft(customer()).id)


def test_void_ends_an_invoice_and_its_payment(client, customer, draft, event_types):
    invoice = client.v1.invoices.finalize_invoice(draft(customer()).id)
    void = client.v1.invoices.void_invoice(invoice.id, {"expand": ["payments.data.payment.payment_intent"]})
    assert void.status == "void"
    assert void.payments.data[0].status == "canceled"
    assert void.payments.data[0].payment.payment_intent.status == "canceled"
    assert event_types()[-1] == "invoice.voided"
    with pytest.raises(stripe.InvalidRequestError, match="void"):
        client.v1.invoices.pay(invoice.id)


def test_uncollectible_can_still_be_paid_or_voided(client, customer, draft):
    owner = customer("pm_card_visa")
    paid, voided = (client.v1.invoices.finalize_invoice(draft(owner).id) for _ in range(2))
    for invoice in (paid, voided):
        marked = client.v1.invoices.mark_uncollectible(invoice.id)
        assert (marked.status, marked.status_details.uncollectible.reason) == ("uncollectible", "user_forgiven")
    assert client.v1.invoices.pay(paid.id).status == "paid"
    assert client.v1.invoices.void_invoice(voided.id).status == "void"


def test_paid_out_of_band_charges_nothing(client, customer, draft, event_types):
    invoice = client.v1.invoices.finalize_invoice(draft(customer("pm_card_visa")).id)
    paid = client.v1.invoices.pay(invoice.id, {"paid_out_of_band": True})
    assert (paid.status, paid.amount_paid, paid.amount_paid_off_stripe) == ("paid", 2500, 2500)
    assert client.v1.charges.list().data == []
    assert "invoice.paid" in event_types()
    assert "invoice.payment_succeeded" not in event_types()


def test_taxes_follow_from_rates(client, customer):
    exclusive = client.v1.tax_rates.create({"display_name": "VAT", "inclusive": False, "percentage": 19})
    inclusive = client.v1.tax_rates.create({"display_name": "GST", "inclusive": True, "percentage": 10})
    made = client.v1.invoices.create({"customer": customer().id, "default_tax_rates": [exclusive.id]})
    lines = [{"amount": 1003}, {"amount": 1100, "tax_rates": [inclusive.id]}]
    full = client.v1.invoices.add_lines(made.id, {"lines": lines})
    # 19 % of 10.03 is 1.9057; 11.00 holds 1.00.
    assert [line.taxes[0].amount for line in full.lines.data] == [191, 100]
    assert (full.subtotal, full.total, full.total_excluding_tax) == (2103, 2294, 2003)
    assert {t.tax_rate_details.tax_rate: t.amount for t in full.total_taxes} == {exclusive.id: 191, inclusive.id: 100}
    untaxed = client.v1.invoices.update(made.id, {"default_tax_rates": ""})
    assert untaxed.total == 2103


def test_automatic_tax_needs_to_know_where_the_customer_is(client, customer, draft):
    invoice = draft(customer(), automatic_tax={"enabled": True})
    assert invoice.automatic_tax.status == "requires_location_inputs"
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        client.v1.invoices.finalize_invoice(invoice.id)
    assert refusal.value.code == "customer_tax_location_invalid"


def test_deleted_customers_answer_that_and_no_more(client, customer, event_types):
    owner = customer("pm_card_visa")
    client.v1.customers.delete(owner.id)
    found = client.v1.customers.retrieve(owner.id)
    assert found.to_dict() == {"id": owner.id, "object": "customer", "deleted": True}
    assert event_types()[-2:] == ["payment_method.detached", "customer.deleted"]
    assert client.v1.customers.list().data == []
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        client.v1.invoices.create({"customer": owner.id})
    assert refusal.value.param == "customer"


def test_events_show_what_was_before(client, customer):
    owner = customer(name="Ada", metadata={"a": "1"})
    client.v1.customers.update(owner.id, {"name": "Bob", "metadata": {"b": "2"}})
    event = client.v1.events.list({"type": "customer.updated"}).data[0]
    assert event.data.previous_attributes.to_dict() == {"name": "Ada", "metadata": {"b": None}}
    assert event.data.object["name"] == "Bob"
    assert event.request.id.startswith("req_")
    assert event.request.idempotency_key
    assert event.account


def test_lists_of_invoices_filter(client, customer, draft):
    one, two = customer(), customer()
    opened = client.v1.invoices.finalize_invoice(draft(one).id)
    drafted = draft(two)
    assert [i.id for i in client.v1.invoices.list({"customer": one.id}).data] == [opened.id]
    assert [i.id for i in client.v1.invoices.list({"status": "draft"}).data] == [drafted.id]
    assert client.v1.invoices.list({"collection_method": "send_invoice"}).data == []
