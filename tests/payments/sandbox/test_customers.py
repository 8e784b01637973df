"""Finding customers, and their balance."""

from datetime import UTC, datetime, timedelta

import pytest
import stripe

from tests.sandbox_server import SANDBOX_ONLY

pytestmark = SANDBOX_ONLY


def test_customers_are_searched_as_stripe_does_it_a_minute_late(client, time_at):
    v1 = client.v1
    ada = v1.customers.create({"name": "Ada Lovelace", "email": "ada@example.com", "metadata": {"tier": "gold"}})
    bob = v1.customers.create({"name": "Bob", "email": "bob@example.com", "phone": "555"})
    v1.customers.delete(v1.customers.create({"name": "Ada Gone"}).id)

    def found(query: str, **more: object) -> list[str]:
        return [one.id for one in v1.customers.search({"query": query, **more}).data]

    assert found('email:"ada@example.com"') == [], "not yet"
    time_at(datetime.fromtimestamp(bob.created, UTC) + timedelta(minutes=1, seconds=1))
    assert found('email:"ADA@example.com"') == [ada.id]
    assert found('name~"ada"') == [ada.id]
    assert found('metadata["tier"]:"gold" AND -phone:"555"') == [ada.id]
    assert found('name:"Bob" OR email:"ada@example.com"') == [bob.id, ada.id]
    assert found(f"created>={ada.created}", limit=1) == [bob.id]
    page = v1.customers.search({"query": "created>0", "limit": 1})
    assert (page.has_more, page.next_page) == (True, "1")
    assert found("created>0", limit=1, page=page.next_page) == [ada.id]
    for wrong in ("ada", 'name:"a" AND name:"b" OR name:"c"', 'name>"a"', 'shoe:"42"', 'name:"a" AND', "created~1"):
        with pytest.raises(stripe.InvalidRequestError, match="search query"):
            found(wrong)


def test_a_balance_says_how_it_came_about(client, customer, draft):
    owner = customer("pm_card_visa")
    client.v1.customers.balance_transactions.create(
        owner.id, {"amount": -1000, "currency": "usd", "description": "Sorry"}
    )
    invoice = client.v1.invoices.finalize_invoice(draft(owner, 2500).id)
    assert (invoice.amount_due, invoice.starting_balance, invoice.ending_balance) == (1500, -1000, 0)
    client.v1.invoices.void_invoice(invoice.id)
    client.v1.customers.update(owner.id, {"balance": 200})
    moves = client.v1.customers.balance_transactions.list(owner.id).data[::-1]
    assert [(move.type, move.amount, move.ending_balance) for move in moves] == [
        ("adjustment", -1000, -1000),
        ("applied_to_invoice", 1000, 0),
        ("unapplied_from_invoice", -1000, -1000),
        ("adjustment", 1200, 200),
    ]
    assert moves[1].invoice == invoice.id
