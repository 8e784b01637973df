"""The only importer of the Stripe SDK.

``client_for(connection)`` is bound to one account in one mode: each of its calls carries the
``Stripe-Account`` header (or the account's own key, where it was entered), waits its turn, has a timeout and
the SDK's own retries, gives back plain dictionaries and raises only ``GatewayUnavailable`` and
``GatewayRejected``. A refusal that means "this account no longer lets you act" is believed only after a
harmless call was refused as well; then the connection is marked as ended.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import lru_cache, partial
from typing import Any

import stripe
from django.conf import settings
from django.utils import timezone

from invoicing.gateways import GatewayError, GatewayRejected, GatewayUnavailable
from invoicing.invoices.waiting import NOT_CONNECTED
from payments.stripe import limits, standing
from payments.stripe.errors import Problem, explain, is_shut_out
from payments.stripe.models import StripeConnection
from payments.stripe.watching import watched

# Seconds to connect and to wait for an answer. Three tries of the longest call fit into a task's soft time limit.
TIMEOUT = (3.05, 20)
RETRIES = 2
# Stripe keeps idempotency keys for 24 hours; older ones are treated as new.
KEYS_LAST = timedelta(hours=23)
# As many objects as Stripe gives on one page.
PAGE = 100
MAX_PAGES = 100
# The version every call is made in, and every event ought to be written in.
API_VERSION: str = stripe.api_version

JSON = dict[str, Any]
Params = Mapping[str, Any]


def client_for(connection: StripeConnection) -> AccountClient:
    if not connection.is_connected:
        raise GatewayUnavailable(standing.why_not(connection), code=NOT_CONNECTED)
    return AccountClient(connection.account_id, connection.livemode, connection.secret_key, connection)


class AccountClient:
    """One account in one mode. Methods are named after Stripe's; ``key`` is the idempotency key."""

    def __init__(
        self, account_id: str, livemode: bool, own_key: str = "", connection: StripeConnection | None = None
    ) -> None:
        self.account_id = account_id
        self.livemode = livemode
        self._own_key = own_key
        self._connection = connection

    # Invoices

    def create_invoice(self, params: Params, *, key: str) -> JSON:
        return self._post(lambda v1, options: v1.invoices.create(_sent(params), options), key)

    def add_lines(self, invoice: str, params: Params, *, key: str) -> JSON:
        return self._post(lambda v1, options: v1.invoices.add_lines(invoice, _sent(params), options), key)

    def update_invoice(self, invoice: str, params: Params, *, key: str) -> JSON:
        return self._post(lambda v1, options: v1.invoices.update(invoice, _sent(params), options), key)

    def finalize_invoice(self, invoice: str, params: Params, *, key: str) -> JSON:
        return self._post(lambda v1, options: v1.invoices.finalize_invoice(invoice, _sent(params), options), key)

    def pay_invoice(self, invoice: str, params: Params, *, key: str) -> JSON:
        return self._post(lambda v1, options: v1.invoices.pay(invoice, _sent(params), options), key)

    def send_invoice(self, invoice: str, params: Params, *, key: str) -> JSON:
        return self._post(lambda v1, options: v1.invoices.send_invoice(invoice, _sent(params), options), key)

    def void_invoice(self, invoice: str, *, key: str) -> JSON:
        return self._post(lambda v1, options: v1.invoices.void_invoice(invoice, {}, options), key)

    def mark_uncollectible(self, invoice: str, *, key: str) -> JSON:
        return self._post(lambda v1, options: v1.invoices.mark_uncollectible(invoice, {}, options), key)

    def delete_draft(self, invoice: str) -> JSON:
        return self._call(lambda v1, options: v1.invoices.delete(invoice, {}, options))

    def retrieve_invoice(self, invoice: str, *, expand: list[str]) -> JSON:
        return self._call(lambda v1, options: v1.invoices.retrieve(invoice, {"expand": expand}, options))

    def list_invoices(self, params: Params) -> list[JSON]:
        return self._all(lambda v1, page, options: v1.invoices.list(page, options), params)

    # Customers and their payment methods

    def create_customer(self, params: Params, *, key: str) -> JSON:
        return self._post(lambda v1, options: v1.customers.create(_sent(params), options), key)

    def retrieve_customer(self, customer: str, *, expand: Sequence[str] = ()) -> JSON:
        params = {"expand": list(expand)} if expand else {}
        return self._call(lambda v1, options: v1.customers.retrieve(customer, params, options))

    def list_customers(self, params: Params) -> list[JSON]:
        return self._all(lambda v1, page, options: v1.customers.list(page, options), params)

    def update_customer(self, customer: str, params: Params, *, key: str) -> JSON:
        return self._post(lambda v1, options: v1.customers.update(customer, _sent(params), options), key)

    def list_payment_methods(self, customer: str) -> list[JSON]:
        return self._all(lambda v1, page, options: v1.customers.payment_methods.list(customer, page, options), {})

    def attach_payment_method(self, method: str, params: Params, *, key: str) -> JSON:
        return self._post(lambda v1, options: v1.payment_methods.attach(method, _sent(params), options), key)

    def detach_payment_method(self, method: str, *, key: str) -> JSON:
        return self._post(lambda v1, options: v1.payment_methods.detach(method, {}, options), key)

    def delete_source(self, customer: str, source: str) -> JSON:
        return self._call(lambda v1, options: v1.customers.payment_sources.delete(customer, source, {}, options))

    def list_tax_ids(self, customer: str) -> list[JSON]:
        return self._all(lambda v1, page, options: v1.customers.tax_ids.list(customer, page, options), {})

    def create_tax_id(self, customer: str, params: Params, *, key: str) -> JSON:
        return self._post(lambda v1, options: v1.customers.tax_ids.create(customer, _sent(params), options), key)

    def delete_tax_id(self, customer: str, tax_id: str) -> JSON:
        return self._call(lambda v1, options: v1.customers.tax_ids.delete(customer, tax_id, {}, options))

    # What a customer is handed to save a payment method

    def create_setup_intent(self, params: Params, *, key: str) -> JSON:
        return self._post(lambda v1, options: v1.setup_intents.create(_sent(params), options), key)

    def retrieve_setup_intent(self, intent: str) -> JSON:
        return self._call(lambda v1, options: v1.setup_intents.retrieve(intent, {}, options))

    def create_checkout_session(self, params: Params, *, key: str) -> JSON:
        return self._post(lambda v1, options: v1.checkout.sessions.create(_sent(params), options), key)

    def retrieve_checkout_session(self, session: str, *, expand: Sequence[str] = ()) -> JSON:
        params = {"expand": list(expand)} if expand else {}
        return self._call(lambda v1, options: v1.checkout.sessions.retrieve(session, params, options))

    def create_portal_session(self, params: Params, *, key: str) -> JSON:
        return self._post(lambda v1, options: v1.billing_portal.sessions.create(_sent(params), options), key)

    # Payments

    def create_payment_intent(self, params: Params, *, key: str) -> JSON:
        return self._post(lambda v1, options: v1.payment_intents.create(_sent(params), options), key)

    def retrieve_payment_intent(self, intent: str, *, expand: Sequence[str] = ()) -> JSON:
        params = {"expand": list(expand)} if expand else {}
        return self._call(lambda v1, options: v1.payment_intents.retrieve(intent, params, options))

    def list_payment_intents(self, params: Params) -> list[JSON]:
        return self._all(lambda v1, page, options: v1.payment_intents.list(page, options), params)

    def list_charges(self, payment_intent: str) -> list[JSON]:
        """Every attempt that was made for a payment intent, newest first."""
        return self._all(lambda v1, page, options: v1.charges.list(page, options), {"payment_intent": payment_intent})

    def list_invoice_payments(self, payment_intent: str) -> list[JSON]:
        """Which invoice a payment intent pays."""
        payment = {"type": "payment_intent", "payment_intent": payment_intent}
        return self._all(lambda v1, page, options: v1.invoice_payments.list(page, options), {"payment": payment})

    # The account

    def retrieve_account(self) -> JSON:
        return self._call(self._ask_for_account)

    def _ask_for_account(self, v1: Any, options: Any) -> Any:
        if self._own_key:
            return v1.accounts.retrieve_current({}, options)
        return v1.accounts.retrieve(self.account_id, {}, options)

    # Tax rates

    def create_tax_rate(self, params: Params, *, key: str) -> JSON:
        return self._post(lambda v1, options: v1.tax_rates.create(_sent(params), options), key)

    def list_tax_rates(self, params: Params) -> list[JSON]:
        return self._all(lambda v1, page, options: v1.tax_rates.list(page, options), params)

    # Refunds

    def create_refund(self, params: Params, *, key: str) -> JSON:
        return self._post(lambda v1, options: v1.refunds.create(_sent(params), options), key)

    def retrieve_refund(self, refund: str) -> JSON:
        return self._call(lambda v1, options: v1.refunds.retrieve(refund, {}, options))

    def list_refunds(self, params: Params) -> list[JSON]:
        return self._all(lambda v1, page, options: v1.refunds.list(page, options), params)

    # Disputes

    def retrieve_dispute(self, dispute: str) -> JSON:
        return self._call(lambda v1, options: v1.disputes.retrieve(dispute, {}, options))

    # Whole accounts, page by page

    def list_page(self, what: str, params: Params) -> JSON:
        """One page of ``events``, ``invoices``, ``charges``, ``refunds``, ``disputes`` or ``customers``."""
        page: JSON = {"limit": PAGE, **_sent(params)}
        return self._call(lambda v1, options: getattr(v1, what).list(page, options))

    def list_invoice_lines(self, invoice: str) -> list[JSON]:
        return self._all(lambda v1, page, options: v1.invoices.line_items.list(invoice, page, options), {})

    def retrieve_charge(self, charge: str) -> JSON:
        return self._call(lambda v1, options: v1.charges.retrieve(charge, {}, options))

    # How calls are made

    def _post(self, make: Callable[[Any, Any], Any], key: str) -> JSON:
        return self._call(make, {"idempotency_key": key})

    def _call(self, make: Callable[[Any, Any], Any], extra: Params | None = None) -> JSON:
        limits.limiter.wait(self.account_id, self.livemode)
        try:
            with watched(self.livemode):
                answer = self._ask(make, extra or {})
        except stripe.StripeError as error:
            raise self._refusal(error) from error
        plain: JSON = answer.to_dict(for_json=True)
        return plain

    def _ask(self, make: Callable[[Any, Any], Any], extra: Params) -> Any:
        if self._own_key:
            return make(sdk(self._own_key).v1, dict(extra))
        return make(sdk(secret_key(self.livemode)).v1, {"stripe_account": self.account_id, **extra})

    def _refusal(self, error: stripe.StripeError) -> GatewayError:
        problem = _problem(error, self.account_id)
        if self._connection is None or not self._shuts_us_out(problem) or not self._is_shut_out():
            return explain(problem)
        reason = standing.KEY_REFUSED if self._own_key else standing.REVOKED
        standing.ended(self._connection, real_now=timezone.now(), reason=reason)
        return GatewayUnavailable(f"{reason} {standing.REMEDY}", code=NOT_CONNECTED)

    def _shuts_us_out(self, problem: Problem) -> bool:
        """A key of the vendor's own may be rolled; where the platform's is refused, no account is to blame."""
        return problem.kind == "PermissionError" or (bool(self._own_key) and problem.kind == "AuthenticationError")

    def _is_shut_out(self) -> bool:
        """Ask for nothing but the account. A restricted key may be refused one thing and allowed another; and where
        the platform's own key is refused in that moment, the account is not to blame."""
        try:
            self._ask(self._ask_for_account, {})
        except stripe.StripeError as error:
            problem = _problem(error, self.account_id)
            return is_shut_out(problem) or (bool(self._own_key) and problem.kind == "AuthenticationError")
        return False

    def _all(self, make: Callable[[Any, Any, Any], Any], params: Params) -> list[JSON]:
        found: list[JSON] = []
        page: JSON = {**_sent(params), "limit": PAGE}
        for _ in range(MAX_PAGES):
            answer = self._call(partial(_page, make, page))
            found += answer["data"]
            if not answer["has_more"] or not answer["data"]:
                break
            page = {**page, "starting_after": answer["data"][-1]["id"]}
        return found


class PlatformClient:
    """What is asked of Stripe in nobody's name: by the platform itself, or with one account's own key."""

    def __init__(self, livemode: bool, own_key: str = "") -> None:
        self.livemode = livemode
        self._key = own_key

    # Connect's OAuth

    def authorize_url(self, params: Params) -> str:
        known: Any = {"client_id": client_id(self.livemode), **params}
        return sdk(secret_key(self.livemode)).oauth.authorize_url(known)

    def exchange_code(self, code: str) -> JSON:
        params: Any = {"grant_type": "authorization_code", "code": code}
        return self._call(lambda client: client.oauth.token(params))

    def deauthorize(self, account_id: str) -> JSON:
        params: Any = {"client_id": client_id(self.livemode), "stripe_user_id": account_id}
        return self._call(lambda client: client.oauth.deauthorize(params))

    # The account a key belongs to, and its webhook endpoints

    def retrieve_account(self) -> JSON:
        return self._call(lambda client: client.v1.accounts.retrieve_current())

    def create_webhook_endpoint(self, params: Params, *, key: str) -> JSON:
        known: Any = _sent(params)
        return self._call(lambda client: client.v1.webhook_endpoints.create(known, {"idempotency_key": key}))

    def update_webhook_endpoint(self, endpoint: str, params: Params) -> JSON:
        known: Any = _sent(params)
        return self._call(lambda client: client.v1.webhook_endpoints.update(endpoint, known))

    def retrieve_webhook_endpoint(self, endpoint: str) -> JSON:
        return self._call(lambda client: client.v1.webhook_endpoints.retrieve(endpoint))

    def delete_webhook_endpoint(self, endpoint: str) -> JSON:
        return self._call(lambda client: client.v1.webhook_endpoints.delete(endpoint))

    def _call(self, make: Callable[[stripe.StripeClient], Any]) -> JSON:
        limits.limiter.wait("", self.livemode)
        try:
            with watched(self.livemode):
                plain: JSON = make(sdk(self._key or secret_key(self.livemode))).to_dict(for_json=True)
        except stripe.StripeError as error:
            raise explain(_problem(error, "")) from error
        return plain


def _page(make: Callable[[Any, Any, Any], Any], page: JSON, v1: Any, options: Any) -> Any:
    return make(v1, page, options)


def secret_key(livemode: bool) -> str:
    """The platform's key of that mode, read each time so that a changed environment counts at once."""
    key: str = settings.STRIPE_LIVE_SECRET_KEY if livemode else settings.STRIPE_TEST_SECRET_KEY
    if not key:
        mode, name = ("live", "STRIPE_LIVE_SECRET_KEY") if livemode else ("test", "STRIPE_TEST_SECRET_KEY")
        raise GatewayRejected(f"There is no Stripe secret key for {mode} mode. Set {name}.", code="no_secret_key")
    return key


def client_id(livemode: bool) -> str:
    """Which application asks vendors for access in that mode."""
    known: str = settings.STRIPE_LIVE_CLIENT_ID if livemode else settings.STRIPE_TEST_CLIENT_ID
    if not known:
        mode, name = ("live", "STRIPE_LIVE_CLIENT_ID") if livemode else ("test", "STRIPE_TEST_CLIENT_ID")
        raise GatewayRejected(f"There is no Stripe client id for {mode} mode. Set {name}.", code="no_client_id")
    return known


def sdk(key: str) -> stripe.StripeClient:
    return _sdk(os.getpid(), key, settings.STRIPE_API_BASE, settings.STRIPE_CONNECT_BASE)


@lru_cache(maxsize=32)
def _sdk(pid: int, key: str, api_base: str, connect_base: str) -> stripe.StripeClient:
    """One for each process, made on first use: sockets must not be shared across a fork. The HTTP client
    keeps one session for each thread."""
    return stripe.StripeClient(
        key,
        base_addresses={"api": api_base, "connect": connect_base},
        max_network_retries=RETRIES,
        http_client=stripe.RequestsClient(timeout=TIMEOUT),
    )


def _sent(params: Params) -> JSON:
    """The SDK drops None silently, which would look like a cleared field: nobody may pass it."""
    empty = [name for name, value in params.items() if value is None]
    if empty:
        raise ValueError(f"None cannot be sent to Stripe: {', '.join(empty)}. Leave the field out or send ''.")
    return dict(params)


def _problem(error: stripe.StripeError, account_id: str) -> Problem:
    detail = error.error.to_dict() if error.error is not None else {}
    return Problem(
        kind=type(error).__name__,
        message=error.user_message or "",
        status=error.http_status,
        code=str(detail.get("code") or error.code or ""),
        decline_code=str(detail.get("decline_code") or ""),
        param=str(detail.get("param") or ""),
        request_id=error.request_id or "",
        account_id=account_id,
    )
