"""The pages on which a customer of an account saves cards: Checkout in setup mode, the billing portal, and the
bank's question in between. Who knows the address may act: it is the secret, as it is at Stripe."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

from payments.sandbox import card_entry, setups, store
from payments.sandbox.card_numbers import NUMBERED, Refusal
from payments.sandbox.errors import StripeError
from payments.sandbox.models import Account, StoredObject
from payments.sandbox.resources.customers import update as update_customer
from payments.sandbox.resources.payment_methods import detach
from payments.sandbox.scope import Scope, moment
from payments.sandbox.shapes.setups import customer_details
from payments.sandbox.work import at_work

PORTAL_LASTS = timedelta(hours=1)
# The form as it is first shown: what is typed most often on a page for trying things out.
BLANK = {"number": "", "expiry": "12 / 34", "cvc": "123", "name": ""}
GONE = "This page has expired. Ask for a new link."
UNKNOWN = "This page could not be found."


# Checkout


def checkout(request: HttpRequest, account: str, id_: str) -> HttpResponse:
    found = _row(account, "checkout.session", id_)
    if found is None:
        return message(UNKNOWN, status=404)
    if request.method != "POST":
        return _checkout_page(found)
    with at_work(account, found.livemode) as scope:
        session = store.lock(scope, "checkout.session", id_)
        if session.status != "open":
            return _checkout_page(session)
        problem = _save_card(scope, session, request.POST)
        if not problem:
            _complete_where_done(scope, session)
    if session.status == "complete":
        return redirect(session.data["success_url"].replace("{CHECKOUT_SESSION_ID}", id_))
    return _checkout_page(session, problem, request.POST)


def _save_card(scope: Scope, session: StoredObject, given: Mapping[str, str]) -> str:
    """Why it did not work, in words for the person at the page; nothing where it did."""
    intent = store.lock(scope, "setup_intent", session.data["setup_intent"])
    details = session.data["customer_details"] or {}
    return _step(scope, intent, given, email=details.get("email") or session.data["customer_email"])


def _step(scope: Scope, intent: StoredObject, given: Mapping[str, str], *, email: str | None) -> str:
    """Either the answer to the bank's question, or a card."""
    error: StripeError | None
    if intent.status == "requires_action":
        error = setups.authenticate(scope, intent, passed=given.get("answer") == "complete")
    else:
        try:
            method = card_entry.typed(scope, given, email=email)
        except Refusal as refusal:
            return refusal.decline.message
        error = setups.confirm(scope, intent, method)
    return error.message if error else ""


def _complete_where_done(scope: Scope, session: StoredObject) -> None:
    intent = store.get(scope, "setup_intent", session.data["setup_intent"])
    if intent.status != "succeeded":
        return
    method = store.get(scope, "payment_method", intent.data["payment_method"])
    billing = method.data["billing_details"]
    changes = {
        "customer_details": customer_details(billing["email"], billing["name"]),
        "status": "complete",
        "url": None,
    }
    store.change(scope, session, changes, due_at=None)
    scope.emit("checkout.session.completed", session.data)


def _checkout_page(session: StoredObject, problem: str = "", given: Mapping[str, str] | None = None) -> HttpResponse:
    data = session.data
    if session.status == "expired":
        return message(GONE, back=data["cancel_url"])
    if session.status == "complete":
        return message("Your card is saved.", back=data["success_url"])
    intent = StoredObject.objects.get(
        account=session.account, livemode=session.livemode, stripe_id=data["setup_intent"]
    )
    return show(
        "authenticate" if intent.status == "requires_action" else "checkout",
        account=account_name(session.account),
        customer=(data["customer_details"] or {}).get("email") or data["customer_email"],
        back=data["cancel_url"],
        problem=problem,
        form=filled(given),
    )


# The billing portal


def portal(request: HttpRequest, account: str, token: str) -> HttpResponse:
    found = _row(account, "billing_portal.session", token.rpartition("_")[0])
    if found is None or not found.data["url"].endswith(f"/{token}"):
        return message(UNKNOWN, status=404)
    with at_work(account, found.livemode) as scope:
        session = store.lock(scope, "billing_portal.session", found.stripe_id)
        customer = store.get(scope, "customer", session.data["customer"])
        if customer.deleted or scope.now > moment(session.created) + PORTAL_LASTS:
            return message(GONE, back=session.data["return_url"])
        problem = _act(scope, session, request.POST) if request.method == "POST" else ""
        if request.method == "POST" and not problem:
            return redirect(_after(session) or request.path)
        return _portal_page(scope, session, problem, request.POST)


def _act(scope: Scope, session: StoredObject, given: Mapping[str, str]) -> str:
    acts: dict[str, Callable[[], object]] = {
        "default": lambda: _make_default(scope, session, given.get("method", "")),
        "detach": lambda: _detach(scope, session, given.get("method", "")),
    }
    act = acts.get(given.get("act", ""))
    if act is None:
        return _add(scope, session, given)
    try:
        act()
    except StripeError as error:
        return error.message
    return ""


def _make_default(scope: Scope, session: StoredObject, method: str) -> None:
    settings = {"invoice_settings": {"default_payment_method": method}}
    update_customer(scope, settings, session.data["customer"])


def _detach(scope: Scope, session: StoredObject, method: str) -> None:
    row = store.get(scope, "payment_method", method)
    if row.customer == session.data["customer"]:
        detach(scope, {}, method)


def _add(scope: Scope, session: StoredObject, given: Mapping[str, str]) -> str:
    """A card that is added here becomes the default, as it does in Stripe's portal."""
    intent = _open_intent(scope, session)
    customer = store.get(scope, "customer", session.data["customer"])
    problem = _step(scope, intent, given, email=customer.data["email"])
    if intent.status == "succeeded":
        _make_default(scope, session, intent.data["payment_method"])
        store.change(scope, session, {}, hidden={"added": True})
    return problem


def _open_intent(scope: Scope, session: StoredObject) -> StoredObject:
    if known := session.hidden.get("intent"):
        intent = store.lock(scope, "setup_intent", known)
        if intent.status in setups.CONFIRMABLE:
            return intent
    intent = setups.new_intent(scope, {"customer": session.data["customer"]})
    store.change(scope, session, {}, hidden={"intent": intent.stripe_id})
    return intent


def _after(session: StoredObject) -> str:
    """A session made for one purpose ends when that is done."""
    flow = session.data["flow"]
    if not flow or not session.hidden.get("added") or flow["after_completion"]["type"] != "redirect":
        return ""
    return str(flow["after_completion"]["redirect"]["return_url"])


def _portal_page(scope: Scope, session: StoredObject, problem: str, given: Mapping[str, str]) -> HttpResponse:
    customer = store.get(scope, "customer", session.data["customer"]).data
    intent = store.find(scope, "setup_intent", session.hidden.get("intent", ""))
    methods = store.query(scope, "payment_method").filter(customer=customer["id"]).order_by("-pk")
    return show(
        "authenticate" if intent and intent.status == "requires_action" else "portal",
        account=account_name(session.account),
        customer=customer["name"] or customer["email"],
        default=customer["invoice_settings"]["default_payment_method"] or customer["default_source"],
        methods=[row.data for row in methods[:100]],
        back=session.data["return_url"],
        problem=problem,
        form=filled(given),
    )


# The bank's question, for setup intents that were confirmed with a ``return_url``


def authentication(request: HttpRequest, account: str, secret: str) -> HttpResponse:
    found = _row(account, "setup_intent", secret.partition("_secret_")[0])
    if found is None or found.data["client_secret"] != secret or not found.hidden.get("return_url"):
        return message(UNKNOWN, status=404)
    if request.method != "POST" and found.status == "requires_action":
        return show("authenticate", account=account_name(account), problem="", back=None)
    with at_work(account, found.livemode) as scope:
        intent = store.lock(scope, "setup_intent", found.stripe_id)
        if request.method == "POST" and intent.status == "requires_action":
            setups.authenticate(scope, intent, passed=request.POST.get("answer") == "complete")
    result = {
        "setup_intent": intent.stripe_id,
        "setup_intent_client_secret": secret,
        "redirect_status": "succeeded" if intent.status == "succeeded" else "failed",
    }
    back = intent.hidden["return_url"]
    return redirect(f"{back}{'&' if '?' in back else '?'}{urlencode(result)}")


# What they share


def _row(account: str, kind: str, id_: str) -> StoredObject | None:
    return StoredObject.objects.filter(account=account, object=kind, stripe_id=id_).first()


def account_name(account: str) -> str:
    return Account.objects.get(pk=account).name


def filled(given: Mapping[str, str] | None) -> dict[str, str]:
    return {name: (given or {}).get(name, default) for name, default in BLANK.items()}


def message(words: str, *, back: str | None = None, status: int = 200) -> HttpResponse:
    return show("message", status=status, words=words, back=back)


def show(template: str, *, status: int = 200, **context: Any) -> HttpResponse:
    return HttpResponse(render_to_string(f"sandbox/{template}.html", {**context, "numbers": NUMBERED}), status=status)


def redirect(address: str) -> HttpResponse:
    """By GET, whatever was asked."""
    response = HttpResponse(status=303)
    response["Location"] = address
    return response
