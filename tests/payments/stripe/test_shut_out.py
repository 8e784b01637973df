"""Which refusals mean that an account is closed to us, and which mean only that something in it is."""
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

from typing import Any

import pytest
import stripe
from django.utils import timezone

from customers.models import Customer
from invoicing.gateways import GatewayError, GatewayRejected, GatewayStatus, GatewayUnavailable
from invoicing.invoices.waiting import NOT_CONNECTED
from payments.models import StripeConnection
from payments.stripe import connect, standing
from payments.stripe.client import AccountClient, client_for
from payments.stripe.gateway import StripeGateway
from tests.factories import VendorFactory
from tests.payments.stripe.conftest import Shop, order_for

pytestmark = pytest.mark.django_db

NO_ACCESS = "The provided key 'sk_test_...' does not have access to account 'acct_1' (or that account does not exist)."
REVOKED = f"{NO_ACCESS} Application access may have been revoked."
NARROW = "This application does not have the required permissions for this endpoint on account 'acct_1'."


def refused(code: str, message: str) -> stripe.StripeError:
    body: dict[str, Any] = {"error": {"code": code} if code else {}}
    return stripe.PermissionError(message, json_body=body, http_status=403)


BAD_KEY = stripe.AuthenticationError("Invalid API Key provided: sk_test_...", http_status=401)
FORBIDDEN = refused("", "Forbidden")

# What the call is refused with, what the question for the account is, with whose key, and whether that is the end.
REFUSALS = [
    (refused("account_invalid", REVOKED), refused("account_invalid", REVOKED), "", True),
    (refused("", REVOKED), refused("", REVOKED), "", True),
    (refused("account_invalid", REVOKED), None, "", False),
    (refused("more_permissions_required_for_application", NARROW), None, "", False),
    (
        refused("more_permissions_required_for_application", NARROW),
        refused("more_permissions_required_for_application", NARROW),
        "",
        False,
    ),
    (refused("more_permissions_required", NARROW), refused("more_permissions_required", NARROW), "rk_test_1", False),
    (FORBIDDEN, FORBIDDEN, "", False),
    (FORBIDDEN, BAD_KEY, "", False),  # the platform's key is changed at this moment
    (BAD_KEY, BAD_KEY, "", False),
    (BAD_KEY, BAD_KEY, "sk_test_1", True),
    (BAD_KEY, None, "sk_test_1", False),
    (BAD_KEY, refused("more_permissions_required", NARROW), "rk_test_1", False),
]


@pytest.mark.parametrize(("first", "then", "own_key", "is_end"), REFUSALS)
def test_only_the_account_itself_ends_a_connection(
    monkeypatch: pytest.MonkeyPatch,
    first: stripe.StripeError,
    then: stripe.StripeError | None,
    own_key: str,
    is_end: bool,
) -> None:
    keys = connect.Keys(own_key, "pk_test_1") if own_key else None
    made = connect.attach(VendorFactory.create(), "acct_1", livemode=False, real_now=timezone.now(), keys=keys)
    answers: list[stripe.StripeError | None] = [first, then]

    def ask(*args: Any) -> Any:
        answer = answers.pop(0)
        if answer:
            raise answer

    monkeypatch.setattr(AccountClient, "_ask", ask)
    with pytest.raises(GatewayError) as told:
        client_for(made).create_customer({"name": "x"}, key="k")
    made.refresh_from_db()
    assert made.is_connected is not is_end
    assert (told.value.code == NOT_CONNECTED) is is_end
    assert isinstance(told.value, GatewayUnavailable) is is_end


def test_a_grant_that_is_too_narrow_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    made = connect.attach(VendorFactory.create(), "acct_1", livemode=False, real_now=timezone.now())
    answers = [refused("more_permissions_required_for_application", NARROW), None]

    def ask(*args: Any) -> Any:
        if answer := answers.pop(0):
            raise answer

    monkeypatch.setattr(AccountClient, "_ask", ask)
    with pytest.raises(GatewayRejected, match="Connect it again for reading and writing.*required permissions"):
        client_for(made).create_customer({"name": "x"}, key="k")


@pytest.mark.django_db(transaction=True)
def test_an_account_that_moved_to_another_vendor_is_closed_to_the_first(shop: Shop) -> None:
    """The first vendor's old invoice neither acts through the second's connection nor is settled by its news."""
    customer: Customer = shop.customer()
    issued = shop.issue(order_for(customer, 500)).external_id
    old, second = shop.connection.reference, VendorFactory.create()
    standing.ended(shop.connection, real_now=timezone.now())
    moved = connect.attach(second, shop.account, livemode=False, real_now=timezone.now())
    gateway, before = StripeGateway(), shop.mark()
    assert gateway.can_act(old) is False
    for call in (gateway.void_invoice, gateway.mark_paid, gateway.send_invoice, gateway.mark_uncollectible):
        with pytest.raises(GatewayUnavailable, match="is not connected"):
            call(old, issued, idempotency_key="k")
    with pytest.raises(GatewayUnavailable, match="is not connected"):
        gateway.fetch_invoice(old, issued)
    assert shop.calls(before) == []
    assert gateway.fetch_invoice(moved.reference, issued).status == GatewayStatus.DRAFT
    assert gateway.payment_methods(moved.reference, customer.pk) == []

    # And back: the row of old is taken up again.
    standing.ended(moved, real_now=timezone.now())
    connect.attach(shop.vendor, shop.account, livemode=False, real_now=timezone.now())
    assert gateway.fetch_invoice(old, issued).status == GatewayStatus.DRAFT
    assert StripeConnection.objects.count() == 2


def test_a_reference_that_makes_no_sense_leads_nowhere() -> None:
    for reference in ("", "acct_1", "acct_1/test", "acct_1/test/x", "acct_1/test/0"):
        assert connect.connection_by_reference(reference) is None
