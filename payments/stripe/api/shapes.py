"""What is answered about a customer's counterpart and payment methods: existing clients' shapes, and ours."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, TypedDict

from payments.stripe import customer_sync
from payments.stripe.customer_links import Link, SetupSecret
from payments.stripe.methods import PaymentMethodStatus
from payments.stripe.models import StripeCustomer, StripePaymentMethod

GATEWAY: Literal["STRIPE"] = "STRIPE"


class CredentialAnswer(TypedDict):
    """No secret of ours is ever handed out, so there is no token."""

    payment_gateway: Literal["STRIPE"]
    account_id: str
    auth_token: None


class SyncAnswer(TypedDict):
    """Whether Stripe has the customer's newest name, e-mail, phone and address."""

    in_step_since: Annotated[datetime | None, "Null until edits were sent, and while one waits or was refused."]
    waiting: Annotated[bool, "It is going to be sent, or tried again."]
    problem: Annotated[str | None, "Why Stripe does not have it yet, or refused it."]


class CounterpartAnswer(CredentialAnswer):
    state: StripeCustomer.State
    problem: str | None
    sync: SyncAnswer


class PaymentMethodStatusAnswer(TypedDict):
    status: PaymentMethodStatus


class CardAnswer(TypedDict):
    brand: str
    country: str
    external_id: str
    exp_month: int | None
    exp_year: int | None
    last4: str


class BankAccountAnswer(TypedDict):
    bank_name: str
    routing_number: int | None
    account_type: str
    country: str
    external_id: str
    last4: str


class MethodAnswer(TypedDict):
    payment_method_type: Annotated[str, "As Stripe calls it, in capitals: CARD, SEPA_DEBIT, ..."]
    card_info: CardAnswer | None
    bank_account_info: BankAccountAnswer | None


class ListedMethodAnswer(MethodAnswer):
    external_id: Annotated[str, "Its id in Stripe."]
    description: Annotated[str, "For people: Visa ending in 4242."]
    is_default: Annotated[bool, "Stripe charges it by itself."]
    attached_at: datetime


class SetupIntentAnswer(TypedDict):
    """For Stripe.js: loadStripe(publishable_key, {stripeAccount: account_id}), then confirm with client_secret."""

    publishable_key: str
    client_secret: str
    account_id: str


class LinkAnswer(TypedDict):
    """Whoever has the address can act as the customer on that page."""

    url: str
    expires_at: Annotated[datetime | None, "Null where Stripe does not say: then it is short."]


def credential_shape(account_id: str) -> CredentialAnswer:
    return {"payment_gateway": GATEWAY, "account_id": account_id, "auth_token": None}


def counterpart_shape(row: StripeCustomer) -> CounterpartAnswer:
    return {
        **credential_shape(row.external_id),
        "state": StripeCustomer.State(row.state),
        "problem": row.last_error or None,
        "sync": sync_shape(row),
    }


def sync_shape(row: StripeCustomer) -> SyncAnswer:
    found = customer_sync.standing(row)
    return {"in_step_since": found.in_step_since, "waiting": found.waits, "problem": found.problem or None}


def method_shape(method: StripePaymentMethod) -> MethodAnswer:
    is_card = method.type == "card"
    is_bank = bool(method.bank_name or method.routing_number) or method.type.endswith(("_debit", "bank_account"))
    return {
        "payment_method_type": method.type.upper(),
        "card_info": _card(method) if is_card else None,
        "bank_account_info": _bank_account(method) if is_bank and not is_card else None,
    }


def listed_method_shape(method: StripePaymentMethod) -> ListedMethodAnswer:
    return {
        **method_shape(method),
        "external_id": method.external_id,
        "description": str(method),
        "is_default": method.is_default,
        "attached_at": method.attached_at,
    }


def secret_shape(secret: SetupSecret) -> SetupIntentAnswer:
    return {
        "publishable_key": secret.publishable_key,
        "client_secret": secret.client_secret,
        "account_id": secret.account_id,
    }


def link_shape(link: Link) -> LinkAnswer:
    return {"url": link.url, "expires_at": link.expires_at}


def _card(method: StripePaymentMethod) -> CardAnswer:
    return {
        "brand": method.brand,
        "country": method.country,
        "external_id": method.external_id,
        "exp_month": method.exp_month,
        "exp_year": method.exp_year,
        "last4": method.last4,
    }


def _bank_account(method: StripePaymentMethod) -> BankAccountAnswer:
    return {
        "bank_name": method.bank_name,
        "routing_number": int(method.routing_number) if method.routing_number.isdecimal() else None,
        "account_type": method.account_type,
        "country": method.country,
        "external_id": method.external_id,
        "last4": method.last4,
    }
