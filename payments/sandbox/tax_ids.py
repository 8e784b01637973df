"""A customer's tax ids. Stripe checks their form, and with some countries later whether they exist."""

import re

from django.db.models import QuerySet

from payments.sandbox import store
from payments.sandbox.errors import bad_request
from payments.sandbox.models import StoredObject
from payments.sandbox.params import Params
from payments.sandbox.scope import JSON, Scope

FORMS = {"eu_vat": r"[A-Z]{2}[A-Z0-9+*]{2,12}", "gb_vat": r"(GB|XI)[A-Z0-9]{5,12}", "us_ein": r"\d{2}-\d{7}"}
MOST = 5


def of(scope: Scope, customer: str) -> QuerySet[StoredObject]:
    return store.query(scope, "tax_id").filter(customer=customer)


def shown_on_invoice(scope: Scope, customer: str) -> list[JSON]:
    return [{"type": row.data["type"], "value": row.data["value"]} for row in of(scope, customer).order_by("pk")]


def add(scope: Scope, customer: str, given: Params) -> JSON:
    kind, value = given["type"], given["value"]
    if not re.fullmatch(FORMS.get(kind, r".+"), value):
        raise bad_request(f"Invalid value for {kind}.", code="tax_id_invalid", param="value")
    if of(scope, customer).count() >= MOST:
        raise bad_request(f"You can only have up to {MOST} tax IDs on a customer.")
    data = {
        "object": "tax_id",
        # A European number begins with its country; other kinds are named after theirs.
        "country": (value[:2] if kind == "eu_vat" else kind[:2]).upper(),
        "created": scope.timestamp,
        "customer": customer,
        "customer_account": None,
        "livemode": scope.livemode,
        "owner": {
            "account": None,
            "application": None,
            "customer": customer,
            "customer_account": None,
            "type": "customer",
        },
        "type": kind,
        "value": value,
        "verification": {"status": "pending", "verified_address": None, "verified_name": None},
    }
    return store.insert(scope, data, event="customer.tax_id.created").data
