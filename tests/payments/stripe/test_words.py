"""What Stripe's words and refusals become, without a server."""
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Any

import pytest
import stripe

from invoicing.gateways import GatewayRejected, GatewayStatus, GatewayUnavailable
from payments.stripe import mapping, signature
from payments.stripe.client import AccountClient, _problem
from payments.stripe.errors import Problem, explain


def error_of(error: stripe.StripeError) -> Any:
    return explain(_problem(error, "acct_1"))


def body(**error: Any) -> dict[str, Any]:
    return {"error": error}


UNAVAILABLE = [
    stripe.APIConnectionError("no route to host"),
    stripe.RateLimitError("slow down", json_body=body(code="rate_limit"), http_status=429),
    stripe.RateLimitError("locked", json_body=body(code="lock_timeout"), http_status=429),
    stripe.APIError("boom", http_status=500),
    stripe.APIError("in use", json_body=body(code="idempotency_key_in_use"), http_status=409),
    stripe.APIError("Invalid response body from API: garbage", http_status=200),
]
REJECTED = [
    (stripe.AuthenticationError("Invalid API Key provided: sk_test_123", http_status=401), "authentication_error"),
    (stripe.PermissionError("no access", json_body=body(code="account_invalid"), http_status=403), "account_invalid"),
    (stripe.InvalidRequestError("No such invoice", "id", json_body=body(code="resource_missing")), "resource_missing"),
    (stripe.IdempotencyError("other params", http_status=400), "idempotency_error"),
    (stripe.CardError("declined", None, "card_declined", json_body=body(code="card_declined")), "card_declined"),
]


@pytest.mark.parametrize("error", UNAVAILABLE, ids=str)
def test_asked_again(error: stripe.StripeError) -> None:
    assert isinstance(error_of(error), GatewayUnavailable)


@pytest.mark.parametrize(("error", "code"), REJECTED, ids=str)
def test_stop_and_show(error: stripe.StripeError, code: str) -> None:
    told = error_of(error)
    assert isinstance(told, GatewayRejected)
    assert told.code == code
    assert "sk_test" not in told.message


def test_an_error_class_of_tomorrow_is_asked_again() -> None:
    assert isinstance(explain(Problem(kind="SomethingNewError")), GatewayUnavailable)


def test_a_decline_is_told_in_plain_words_with_its_code() -> None:
    error = stripe.CardError(
        "Your card has insufficient funds.",
        None,
        "card_declined",
        http_status=402,
        json_body=body(code="card_declined", decline_code="insufficient_funds"),
    )
    told = error_of(error)
    assert told.message == "The card has insufficient funds (insufficient_funds)."
    assert told.code == "insufficient_funds"


def test_an_unknown_decline_is_told_in_stripes_words() -> None:
    told = explain(Problem("CardError", "The moon is full.", code="card_declined", decline_code="moon_full"))
    assert told.message == "The card was declined (moon_full)."
    told = explain(Problem("CardError", "The moon is full.", decline_code="moon_full"))
    assert told.message == "The moon is full (moon_full)."


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ({"type": "card", "card": {"brand": "visa", "last4": "4242"}}, "Visa ending in 4242"),
        ({"type": "card", "card": {"brand": "cartes_bancaires", "last4": "1"}}, "Cartes Bancaires ending in 1"),
        ({"type": "card", "card": {"brand": "moon_card", "last4": "9"}}, "Moon Card ending in 9"),
        ({"type": "sepa_debit", "sepa_debit": {"last4": "3000"}}, "SEPA debit ending in 3000"),
        ({"type": "us_bank_account", "us_bank_account": {"last4": "6789"}}, "Bank account ending in 6789"),
        ({"type": "link", "link": {"email": "a@b"}}, "Link"),
        ({"type": "some_wallet", "some_wallet": {}}, "Some wallet"),
        ({}, ""),
    ],
)
def test_methods_in_words(method: dict[str, Any], words: str) -> None:
    assert mapping.method_words(method) == words


@pytest.mark.parametrize(
    ("card", "expired"),
    [
        ({"exp_month": 3, "exp_year": 2026}, False),
        ({"exp_month": 2, "exp_year": 2026}, True),
        ({"exp_month": 12, "exp_year": 2025}, True),
        ({"exp_month": 1, "exp_year": 2027}, False),
        ({}, False),
    ],
)
def test_expiry(card: dict[str, int], expired: bool) -> None:
    assert mapping.method_is_expired({"type": "card", "card": card}, date(2026, 3, 31)) is expired


def test_every_status_of_the_sdk_is_known() -> None:
    said = set(re.findall(r"'(\w+)'", str(stripe.Invoice.__annotations__["status"])))
    assert set(mapping.STATUSES) == said
    assert set(mapping.STATUSES.values()) == set(GatewayStatus)


def test_a_charge_becomes_a_payment() -> None:
    charge = {
        "id": "ch_1",
        "status": "failed",
        "amount": 500,
        "created": 1767225600,
        "failure_code": "card_declined",
        "failure_message": "Your card was declined.",
        "outcome": {"reason": "stolen_card"},
        "payment_method_details": {"type": "card", "card": {"brand": "visa", "last4": "9979"}},
    }
    payment = mapping.payment_of_charge(charge)
    assert payment is not None
    assert (payment.succeeded, payment.error_code) == (False, "stolen_card")
    assert payment.error == "The card was reported stolen (stolen_card)."
    assert payment.occurred_at == datetime(2026, 1, 1, tzinfo=UTC)
    pending = mapping.payment_of_charge({**charge, "status": "pending"})
    assert (pending.succeeded, pending.waiting, pending.error) == (False, "bank", "")
    paid = mapping.payment_of_charge({**charge, "status": "succeeded", "outcome": None, "failure_code": None})
    assert paid is not None
    assert (paid.succeeded, paid.error_code, paid.error) == (True, "", "")


def test_none_is_never_sent(settings: Any) -> None:
    settings.STRIPE_TEST_SECRET_KEY = "sk_test_1"
    with pytest.raises(ValueError, match="memo"):
        AccountClient("acct_1", False).create_customer({"name": "x", "memo": None}, key="k")


def test_without_a_key_nothing_is_sent(settings: Any) -> None:
    settings.STRIPE_LIVE_SECRET_KEY = ""
    with pytest.raises(GatewayRejected, match="STRIPE_LIVE_SECRET_KEY"):
        AccountClient("acct_1", True).retrieve_customer("cus_1")


def test_our_signatures_are_stripes() -> None:
    """The SDK's own check accepts what ours does."""
    header = signature.sign(b'{"a": 1}', "whsec_x", at=1_800_000_000)
    signature.verify(b'{"a": 1}', header, ["whsec_other", "whsec_x"], at=1_800_000_100)
    assert stripe.WebhookSignature.verify_header(b'{"a": 1}', header, "whsec_x")
    with pytest.raises(signature.BadSignature, match="does not match"):
        signature.verify(b'{"a": 2}', header, ["whsec_x"], at=1_800_000_000)
    two = header + ",v1=" + "0" * 64 + ",v0=legacy"
    signature.verify(b'{"a": 1}', two, ["whsec_x"], at=1_800_000_000)
