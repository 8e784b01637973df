"""One walk over everything the sandbox offers: each endpoint is asked once with the SDK, and every
request and answer satisfies the SDK's types, also in what it leaves out."""

from typing import Any

from payments.sandbox import routing
from tests.sandbox_server import SANDBOX_ONLY

pytestmark = SANDBOX_ONLY


def customers_and_cards(client: Any) -> tuple[Any, str]:
    v1 = client.v1
    v1.accounts.retrieve_current()
    made = v1.customers.create({"email": "a@example.com", "name": "Ada", "payment_method": "pm_card_visa"})
    card = v1.customers.payment_methods.list(made.id).data[0].id
    v1.customers.payment_methods.retrieve(made.id, card)
    v1.payment_methods.retrieve(card)
    v1.payment_methods.update(card, {"metadata": {"a": "b"}})
    v1.payment_methods.list({"customer": made.id, "type": "card"})
    spare = v1.payment_methods.attach("pm_card_mastercard", {"customer": made.id})
    v1.payment_methods.detach(spare.id)
    v1.customers.update(made.id, {"invoice_settings": {"default_payment_method": card}})
    v1.customers.retrieve(made.id)
    v1.customers.list({"email": "a@example.com"})
    v1.customers.search({"query": 'email:"a@example.com"'})
    moved = v1.customers.balance_transactions.create(made.id, {"amount": -500, "currency": "usd"})
    v1.customers.balance_transactions.retrieve(made.id, moved.id)
    v1.customers.balance_transactions.list(made.id)
    v1.customers.update(made.id, {"balance": 0})
    number = v1.customers.tax_ids.create(made.id, {"type": "eu_vat", "value": "DE123456789"})
    v1.customers.tax_ids.retrieve(made.id, number.id)
    v1.customers.tax_ids.list(made.id)
    v1.customers.tax_ids.delete(made.id, number.id)
    source = v1.customers.payment_sources.create(made.id, {"source": "btok_us_verified"})
    v1.customers.payment_sources.retrieve(made.id, source.id)
    v1.customers.payment_sources.list(made.id)
    assert v1.customers.retrieve(made.id, {"expand": ["sources"]}).sources.data[0].id == source.id
    v1.customers.payment_sources.delete(made.id, source.id)
    return made, card


def saved_for_later(client: Any, customer: str) -> None:
    v1 = client.v1
    made = v1.setup_intents.create({"customer": customer, "metadata": {"a": "b"}})
    v1.setup_intents.update(made.id, {"description": "Card on file"})
    v1.setup_intents.confirm(made.id, {"payment_method": "pm_card_visa"})
    v1.setup_intents.retrieve(made.id)
    v1.setup_intents.cancel(v1.setup_intents.create({"customer": customer}).id)
    v1.setup_intents.list({"customer": customer})
    to_save: Any = {"mode": "setup", "currency": "usd", "customer": customer, "success_url": "https://example.com/"}
    session = v1.checkout.sessions.create(to_save)
    v1.checkout.sessions.update(session.id, {"metadata": {"a": "b"}})
    v1.checkout.sessions.retrieve(session.id, {"expand": ["setup_intent"]})
    v1.checkout.sessions.list({"customer": customer, "status": "open"})
    v1.checkout.sessions.expire(session.id)
    after: Any = {"type": "redirect", "redirect": {"return_url": "https://example.com/"}}
    v1.billing_portal.sessions.create(
        {"customer": customer, "flow_data": {"type": "payment_method_update", "after_completion": after}}
    )


def invoices(client: Any, customer: str) -> None:
    v1 = client.v1
    rate = v1.tax_rates.create({"display_name": "VAT", "inclusive": False, "percentage": 20})
    v1.tax_rates.update(rate.id, {"active": False})
    v1.tax_rates.retrieve(rate.id)
    v1.tax_rates.list({"active": False})

    def draft(**fields: object) -> Any:
        made = v1.invoices.create({"customer": customer, "currency": "eur", **fields})
        v1.invoices.add_lines(made.id, {"lines": [{"amount": 1000, "tax_rates": [rate.id]}]})
        return made.id

    paid = draft()
    v1.invoices.update(paid, {"description": "May"})
    v1.invoices.finalize_invoice(paid)
    v1.invoices.pay(paid)
    v1.invoices.retrieve(paid)
    v1.invoices.line_items.list(paid)
    payment = v1.invoice_payments.list({"invoice": paid}).data[0]
    v1.invoice_payments.retrieve(payment.id)
    sent = draft(collection_method="send_invoice", days_until_due=14)
    v1.invoices.finalize_invoice(sent)
    v1.invoices.send_invoice(sent)
    v1.invoices.mark_uncollectible(sent)
    v1.invoices.void_invoice(sent)
    v1.invoices.delete(draft())
    v1.invoices.list({"customer": customer})
    credited(v1, paid, draft())
    v1.customers.update(customer, {"balance": 0})


def credited(v1: Any, paid: str, unpaid: str) -> None:
    """A third off what is due, and taken back; and half of what was paid, given back in three ways."""
    line = v1.invoices.finalize_invoice(unpaid).lines.data[0].id
    some: Any = {"type": "invoice_line_item", "invoice_line_item": line, "amount": 100}
    other: Any = {"type": "custom_line_item", "description": "Goodwill", "unit_amount": 150, "quantity": 2}
    wanted: Any = {"invoice": unpaid, "lines": [some, other], "memo": "Sorry", "reason": "order_change"}
    assert v1.credit_notes.preview(wanted).total == 400
    note = v1.credit_notes.create(wanted)
    v1.credit_notes.update(note.id, {"memo": "Sorry!", "metadata": {"a": "b"}})
    v1.credit_notes.line_items.list(note.id)
    assert v1.credit_notes.retrieve(note.id, {"expand": ["invoice"]}).invoice.amount_remaining == 800
    v1.credit_notes.void_credit_note(note.id)
    ways = {"refund_amount": 300, "credit_amount": 200, "out_of_band_amount": 100}
    v1.credit_notes.create({"invoice": paid, "amount": 600, "expand": ["customer_balance_transaction"], **ways})
    v1.credit_notes.list({"invoice": paid})


def money(client: Any, customer: str, card: str) -> None:
    v1 = client.v1
    amount = {"amount": 900, "currency": "eur", "customer": customer, "payment_method": card}
    made = v1.payment_intents.create(amount)
    v1.payment_intents.update(made.id, {"metadata": {"a": "b"}})
    v1.payment_intents.confirm(made.id)
    v1.payment_intents.cancel(v1.payment_intents.create(amount).id)
    held = v1.payment_intents.create({**amount, "capture_method": "manual", "confirm": True})
    assert v1.payment_intents.capture(held.id, {"amount_to_capture": 800}).amount_received == 800
    intent = v1.payment_intents.retrieve(made.id)
    v1.payment_intents.list({"customer": customer})
    v1.charges.retrieve(intent.latest_charge)
    v1.charges.list({"customer": customer})
    refund = v1.refunds.create({"payment_intent": made.id, "amount": 100})
    v1.refunds.retrieve(refund.id)
    v1.refunds.list({"payment_intent": made.id})
    disputes(client, customer)


def disputes(client: Any, customer: str) -> None:
    """One is answered with what wins it, one is accepted; and a payment that was made apart is attached."""
    v1 = client.v1
    terms = {"amount": 900, "currency": "eur", "customer": customer, "confirm": True}
    for card in ("pm_card_createDispute", "pm_card_createDisputeInquiry"):
        v1.payment_intents.create({**terms, "payment_method": card})
    accepted, answered = v1.disputes.list().data
    assert (answered.status, accepted.status) == ("needs_response", "warning_needs_response")
    v1.disputes.update(answered.id, {"evidence": {"product_description": "Usage"}, "submit": False})
    won = v1.disputes.update(answered.id, {"evidence": {"uncategorized_text": "winning_evidence"}})
    assert (won.status, [entry.amount for entry in won.balance_transactions]) == ("won", [-900, 900])
    assert v1.disputes.close(accepted.id).status == "lost"
    v1.disputes.retrieve(answered.id, {"expand": ["charge", "payment_intent"]})
    invoice = v1.invoices.create({"customer": customer, "currency": "eur"})
    v1.invoices.add_lines(invoice.id, {"lines": [{"amount": 1000}]})
    v1.invoices.finalize_invoice(invoice.id)
    apart = v1.payment_intents.create({**terms, "payment_method": "pm_card_visa"})
    attached = v1.invoices.attach_payment(invoice.id, {"payment_intent": apart.id})
    assert (attached.status, attached.amount_paid, attached.amount_remaining) == ("open", 900, 100)


def clocks(client: Any) -> None:
    v1 = client.v1.test_helpers.test_clocks
    clock = v1.create({"frozen_time": 1_800_000_000, "name": "Spring"})
    client.v1.customers.create({"test_clock": clock.id, "expand": ["test_clock"]})
    v1.advance(clock.id, {"frozen_time": 1_800_086_400})
    v1.retrieve(clock.id)
    v1.list()
    v1.delete(clock.id)


def platform_matters(platform: Any, account: str) -> None:
    v1 = platform.v1
    v1.accounts.retrieve(account)
    made = v1.webhook_endpoints.create(
        {"url": "https://example.com/hook", "enabled_events": ["invoice.paid"], "connect": True}
    )
    v1.webhook_endpoints.update(made.id, {"description": "x"})
    v1.webhook_endpoints.retrieve(made.id)
    v1.webhook_endpoints.list()
    v1.webhook_endpoints.delete(made.id)


def test_every_endpoint_speaks_as_the_sdk_expects(stripe_sandbox, capsys):
    client = stripe_sandbox.client()
    customer, card = customers_and_cards(client)
    saved_for_later(client, customer.id)
    invoices(client, customer.id)
    money(client, customer.id, card)
    client.v1.customers.delete(customer.id)
    event = client.v1.events.list({"limit": 100}).data[0]
    client.v1.events.retrieve(event.id)
    clocks(client)
    platform_matters(stripe_sandbox.client(stripe_account=None), stripe_sandbox.account)

    found = [routing.find(*call) for call in stripe_sandbox.traffic.calls()]
    asked = {str(match[0].handler) for match in found if match}
    assert asked == {str(endpoint.handler) for endpoint in routing.ENDPOINTS}
    assert stripe_sandbox.traffic.problems() == []
