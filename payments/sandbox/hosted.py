"""The page behind an invoice's ``hosted_invoice_url``, on which it can be paid with a test card."""

from collections.abc import Mapping

from django.http import HttpRequest, HttpResponse

from customers.money import format_money
from payments.sandbox import card_entry, charging, collect, store
from payments.sandbox.card_numbers import Refusal
from payments.sandbox.card_pages import account_name, filled, message, redirect, show
from payments.sandbox.models import StoredObject
from payments.sandbox.scope import JSON, Scope
from payments.sandbox.work import at_work

PAYABLE = ("open", "uncollectible")
QUESTION = "The bank asks whether the owner of the card makes this payment to {}. Choose what the bank hears."


def invoice(request: HttpRequest, account: str, token: str) -> HttpResponse:
    # The token begins with the invoice's id, after the word for the mode.
    id_ = "in_" + token.partition("_")[2][:24]
    row = StoredObject.objects.filter(account=account, object="invoice", stripe_id=id_).first()
    if row is None or not str(row.data["hosted_invoice_url"]).endswith(f"/{token}"):
        return message("This invoice could not be found.", status=404)
    problem = ""
    if request.method == "POST":
        with at_work(account, row.livemode) as scope:
            row = store.lock(scope, "invoice", id_)
            problem = _pay(scope, row, request.POST) if row.status in PAYABLE else ""
        if not problem:
            return redirect(request.path)
    return _page(row, problem, request.POST)


def _pay(scope: Scope, row: StoredObject, given: Mapping[str, str]) -> str:
    """Why it did not work, in words for the person at the page; nothing where it did, or where the bank asks."""
    _, intent = collect.default_payment(scope, row)
    if intent.status == "requires_action":
        passed = given.get("answer") == "complete"
        error = collect.pay_in_person(scope, row, lambda it: charging.authenticate(scope, it, passed=passed))
        return error.message if error else ""
    try:
        method = card_entry.typed(scope, given, email=row.data["customer_email"])
    except Refusal as refusal:
        return refusal.decline.message
    error = collect.pay_in_person(scope, row, lambda it: charging.charge(scope, it, method, off_session=False))
    return error.message if error else ""


def _page(row: StoredObject, problem: str, given: Mapping[str, str]) -> HttpResponse:
    account = account_name(row.account)
    if row.status in PAYABLE and _is_asked(row):
        return show("authenticate", account=account, question=QUESTION.format(account), problem=problem, back=None)
    return show(
        "invoice",
        account=account,
        invoice=row.data,
        customer=row.data["customer_name"] or row.data["customer_email"] or row.data["customer"],
        lines=[_line(line) for line in row.data["lines"]["data"]],
        due=format_money(row.data["amount_remaining"], row.data["currency"].upper()),
        is_payable=row.status in PAYABLE,
        problem=problem,
        form=filled(given),
        back=None,
    )


def _is_asked(row: StoredObject) -> bool:
    mine = StoredObject.objects.filter(account=row.account, livemode=row.livemode)
    payments = mine.filter(object="invoice_payment", invoice=row.stripe_id, status="open")
    intents = payments.values_list("payment_intent", flat=True)
    return mine.filter(object="payment_intent", stripe_id__in=intents, status="requires_action").exists()


def _line(line: JSON) -> tuple[str, str]:
    return line["description"] or "", format_money(line["amount"], line["currency"].upper())
