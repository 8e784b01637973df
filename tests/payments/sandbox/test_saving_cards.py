"""Cards saved for later: setup intents, the Checkout page, the billing portal's page."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import stripe

from payments.sandbox.card_numbers import NUMBERED
from payments.sandbox.cards import CARDS
from tests.sandbox_server import SANDBOX_ONLY

pytestmark = SANDBOX_ONLY

DONE = "https://example.com/done?session={CHECKOUT_SESSION_ID}"
FILLED = {"expiry": "11 / 34", "cvc": "123", "name": "Ada Lovelace"}


def post(url: str, **given: str) -> requests.Response:
    return requests.post(url, data=given, allow_redirects=False, timeout=10)


def to_save(customer: Any, **more: Any) -> Any:
    return {"mode": "setup", "currency": "usd", "customer": customer.id, "success_url": DONE, **more}


def test_a_setup_intent_saves_a_card(client, customer, event_types):
    owner = customer()
    made = client.v1.setup_intents.create({"customer": owner.id})
    assert (made.status, made.usage, made.client_secret[:5]) == ("requires_payment_method", "off_session", "seti_")
    before = len(event_types())
    done = client.v1.setup_intents.confirm(made.id, {"payment_method": "pm_card_visa"})
    assert (done.status, done.next_action) == ("succeeded", None)
    assert [m.id for m in client.v1.customers.payment_methods.list(owner.id).data] == [done.payment_method]
    assert client.v1.customers.retrieve(owner.id).invoice_settings.default_payment_method is None
    assert event_types()[before:] == ["payment_method.attached", "setup_intent.succeeded"]
    with pytest.raises(stripe.InvalidRequestError, match="status is succeeded"):
        client.v1.setup_intents.cancel(made.id)


def test_a_card_that_is_refused_says_why(client, customer, event_types):
    made = client.v1.setup_intents.create({"customer": customer().id})
    with pytest.raises(stripe.CardError) as refusal:
        client.v1.setup_intents.confirm(made.id, {"payment_method": "pm_card_visa_chargeDeclinedInsufficientFunds"})
    error: Any = refusal.value.error
    assert (error.code, error.decline_code) == ("card_declined", "insufficient_funds")
    assert error.setup_intent.status == "requires_payment_method"
    assert event_types()[-1] == "setup_intent.setup_failed"
    found = client.v1.setup_intents.retrieve(made.id)
    assert found.last_setup_error.decline_code == "insufficient_funds"
    assert client.v1.setup_intents.confirm(made.id, {"payment_method": "pm_card_visa"}).last_setup_error is None


@pytest.mark.parametrize(("answer", "status"), [("complete", "succeeded"), ("fail", "requires_payment_method")])
def test_the_bank_asks_and_is_answered(client, customer, answer, status):
    owner, method = customer(), "pm_card_authenticationRequiredOnSetup"
    made = client.v1.setup_intents.create(
        {"customer": owner.id, "confirm": True, "payment_method": method, "return_url": "https://example.com/back?a=1"}
    )
    assert (made.status, made.next_action.type) == ("requires_action", "redirect_to_url")
    page = made.next_action.redirect_to_url.url
    assert "3D Secure" in requests.get(page, timeout=10).text
    back = post(page, answer=answer).headers["Location"]
    told = parse_qs(urlsplit(back).query)
    assert (told["a"], told["setup_intent"]) == (["1"], [made.id])
    assert told["redirect_status"] == ["succeeded" if answer == "complete" else "failed"]
    found = client.v1.setup_intents.retrieve(made.id)
    assert found.status == status
    if status == "succeeded":
        paid = client.v1.payment_intents.create(
            {"amount": 500, "currency": "usd", "customer": owner.id, "payment_method": found.payment_method,
             "confirm": True, "off_session": True}
        )  # fmt: skip
        assert paid.status == "succeeded", "set up once, it is charged without asking"


def test_somebody_saves_a_card_on_the_checkout_page(client, customer, event_types):
    owner = customer()
    session = client.v1.checkout.sessions.create(to_save(owner, metadata={"a": "b"}))
    assert (session.status, session.payment_status) == ("open", "no_payment_required")
    page = requests.get(session.url, timeout=10)
    assert "Save a card for Sandbox test account" in page.text
    assert all(card.shown in page.text for card in NUMBERED)
    before = len(event_types())
    done = post(session.url, number="4242 4242 4242 4242", **FILLED)
    assert (done.status_code, done.headers["Location"]) == (303, f"https://example.com/done?session={session.id}")
    found = client.v1.checkout.sessions.retrieve(session.id, {"expand": ["setup_intent.payment_method"]})
    assert (found.status, found.url, found.customer_details.name) == ("complete", None, "Ada Lovelace")
    card = found.setup_intent.payment_method
    assert (card.customer, card.card.last4, card.card.exp_month, card.card.exp_year) == (owner.id, "4242", 11, 2034)
    assert event_types()[before:] == [
        "payment_method.attached",
        "setup_intent.succeeded",
        "checkout.session.completed",
    ]
    again = post(session.url, number="5555555555554444", **FILLED)
    assert "Your card is saved" in again.text
    assert len(client.v1.customers.payment_methods.list(owner.id).data) == 1


CANNOT_BE_SAVED: tuple[tuple[dict[str, str], str], ...] = (
    ({"number": "4000 0000 0000 9995"}, "insufficient funds"),
    ({"number": "4111 1111 1111 1111"}, "non test card"),
    ({"number": "4242 4242 4242 4241"}, "number is invalid"),
    ({"number": "4242424242424242", "expiry": "13 / 34"}, "MM / YY"),
    ({"number": "4242424242424242", "expiry": "01 / 20"}, "in the past"),
    ({"number": "4242424242424242", "cvc": "x"}, "security code"),
    ({}, "number is invalid"),
)


def test_what_cannot_be_saved_is_said_on_the_page(client, customer):
    session = client.v1.checkout.sessions.create(to_save(customer()))
    for given, says in CANNOT_BE_SAVED:
        page = post(session.url, **{**FILLED, **given})
        assert page.status_code == 200
        assert says in page.text
    assert client.v1.checkout.sessions.retrieve(session.id).status == "open"
    assert post(session.url, number="4242424242424242", **FILLED).status_code == 303


def test_a_card_that_asks_on_the_checkout_page(client, customer):
    session = client.v1.checkout.sessions.create(to_save(customer()))
    assert "3D Secure" in post(session.url, number="4000002760003184", **FILLED).text
    assert "authentication failed" in post(session.url, answer="fail").text
    post(session.url, number="4000002760003184", **FILLED)
    assert post(session.url, answer="complete").status_code == 303
    assert client.v1.checkout.sessions.retrieve(session.id).status == "complete"


def test_a_checkout_page_expires(client, customer, time_at, event_types):
    session = client.v1.checkout.sessions.create(to_save(customer(), cancel_url="https://example.com/back"))
    time_at(datetime.fromtimestamp(session.expires_at, UTC) + timedelta(seconds=1))
    found = client.v1.checkout.sessions.retrieve(session.id, {"expand": ["setup_intent"]})
    assert (found.status, found.url, found.setup_intent.status) == ("expired", None, "canceled")
    assert event_types()[-1] == "checkout.session.expired"
    page = post(session.url, number="4242424242424242", **FILLED)
    assert "has expired" in page.text
    assert "https://example.com/back" in page.text


WRONG: tuple[tuple[Any, str], ...] = (
    ({"currency": None}, "currency"),
    ({"success_url": None}, "success_url"),
    ({"success_url": "javascript:alert(1)"}, "success_url"),
    ({"expires_at": 1}, "expires_at"),
    ({"customer": "cus_nobody"}, "customer"),
    ({"customer_email": "a@example.com"}, "customer_email"),
)


def test_wrong_sessions_are_refused(client, customer):
    owner = customer()
    for change, param in WRONG:
        wanted = {name: value for name, value in {**to_save(owner), **change}.items() if value is not None}
        with pytest.raises(stripe.InvalidRequestError) as refusal:
            client.v1.checkout.sessions.create(wanted)
        assert refusal.value.param == param


def test_somebody_looks_after_cards_in_the_billing_portal(client, customer):
    owner = customer("pm_card_visa")
    session = client.v1.billing_portal.sessions.create({"customer": owner.id, "return_url": "https://example.com/"})
    page = requests.get(session.url, timeout=10).text
    assert "Visa ending in 4242" in page
    assert "Default" in page
    visa = client.v1.customers.payment_methods.list(owner.id).data[0].id

    def default() -> str:
        return client.v1.customers.retrieve(owner.id).invoice_settings.default_payment_method

    assert "declined" in post(session.url, number="4000000000000002", **FILLED).text
    assert post(session.url, number="5555 5555 5555 4444", **FILLED).headers["Location"] in session.url
    mastercard = client.v1.customers.payment_methods.list(owner.id).data[0].id
    assert default() == mastercard
    post(session.url, act="default", method=visa)
    assert default() == visa
    post(session.url, act="detach", method=visa)
    assert [m.id for m in client.v1.customers.payment_methods.list(owner.id).data] == [mastercard]
    assert default() is None
    strangers = client.v1.payment_methods.attach("pm_card_visa", {"customer": customer().id})
    post(session.url, act="detach", method=strangers.id)
    assert "does not have a payment method" in post(session.url, act="default", method=strangers.id).text
    assert client.v1.payment_methods.retrieve(strangers.id).customer


def test_a_portal_made_for_a_new_card_sends_back_when_it_is_saved(client, customer):
    after = {"type": "redirect", "redirect": {"return_url": "https://example.com/thanks"}}
    session = client.v1.billing_portal.sessions.create(
        {"customer": customer().id, "flow_data": {"type": "payment_method_update", "after_completion": after}}
    )
    assert post(session.url, number="4242424242424242", **FILLED).headers["Location"] == "https://example.com/thanks"


def test_portal_pages_are_secret_and_last_an_hour(client, customer, time_at):
    session = client.v1.billing_portal.sessions.create({"customer": customer("pm_card_visa").id})
    assert requests.get(session.url[:-1] + "x", timeout=10).status_code == 404
    time_at(datetime.fromtimestamp(session.created, UTC) + timedelta(hours=1, minutes=1))
    assert "has expired" in requests.get(session.url, timeout=10).text


def test_every_number_stands_for_a_test_card():
    assert {card.number[-4:] for card in NUMBERED} == {CARDS[card.method].last4 for card in NUMBERED}
