"""Taxes of invoice lines, in the three ways Stripe has: rates, exact amounts, automatic tax.

Automatic tax is computed from the customer's country alone, with the standard rates below, always on top of
the price; exempt customers pay none. Without a country it is not computed, and finalizing fails.
"""

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from payments.sandbox import store
from payments.sandbox.errors import bad_request
from payments.sandbox.models import StoredObject
from payments.sandbox.scope import JSON, Scope

STANDARD_RATES = {"AT": "20", "AU": "10", "CA": "5", "CH": "8.1", "DE": "19", "ES": "21", "FR": "20", "GB": "20"}
STANDARD_RATES |= {"IE": "23", "IT": "22", "JP": "10", "NL": "21", "NO": "25", "SE": "25", "US": "7.25"}
OTHER_COUNTRIES = "10"

# Why these customers pay none.
EXEMPT = {"exempt": "customer_exempt", "reverse": "reverse_charge"}

RATE_TEXTS = ("country", "description", "display_name", "jurisdiction", "state", "tax_type")


def rate_data(scope: Scope, given: JSON) -> JSON:
    """A tax rate, from its parameters."""
    return {
        "object": "tax_rate",
        "active": given.get("active", True),
        "created": scope.timestamp,
        "effective_percentage": None,
        "flat_amount": None,
        "inclusive": given["inclusive"],
        "jurisdiction_level": given.get("jurisdiction_level"),
        "livemode": scope.livemode,
        "metadata": given.get("metadata") or {},
        "percentage": float(given["percentage"]),
        "rate_type": "percentage",
        **{name: given.get(name) for name in RATE_TEXTS},
    }


def archived_rate(scope: Scope, given: JSON) -> JSON:
    """The rate that stands for an amount somebody computed: found again where the data is the same."""
    data = rate_data(scope, {**given, "active": False})
    same = {f"data__{name}": data[name] for name in ("percentage", "inclusive", "display_name", "country", "state")}
    found = store.query(scope, "tax_rate").filter(hidden__found_by_data=True, **same).first()
    return found.data if found else store.insert(scope, data, hidden={"found_by_data": True}).data


def tax_of(amount: int, rate: JSON, *, reason: str = "standard_rated") -> JSON:
    """One tax on one line, as the line shows it. Rounded half up, line by line."""
    percentage = Decimal(str(rate["percentage"]))
    base = 100 + percentage if rate["inclusive"] else Decimal(100)
    tax = int((amount * percentage / base).quantize(Decimal(1), ROUND_HALF_UP))
    return shown(rate, tax, amount - tax if rate["inclusive"] else amount, reason=reason)


def shown(rate: JSON, tax: int, taxable: int, *, reason: str = "standard_rated") -> JSON:
    return {
        "amount": tax,
        "tax_behavior": "inclusive" if rate["inclusive"] else "exclusive",
        "tax_rate_details": {"tax_rate": rate["id"]},
        "taxability_reason": reason,
        "taxable_amount": taxable,
        "type": "tax_rate_details",
    }


def given_amounts(scope: Scope, amounts: Sequence[JSON]) -> list[JSON]:
    """``tax_amounts`` of a line, as they are shown."""
    return [
        shown(
            archived_rate(scope, given["tax_rate_data"]),
            given["amount"],
            given["taxable_amount"],
            reason=given.get("taxability_reason", "standard_rated"),
        )
        for given in amounts
    ]


def apply(scope: Scope, invoice: JSON, rows: Sequence[StoredObject]) -> list[StoredObject]:
    """Give each line its taxes; returns the lines that changed."""
    automatic = automatic_rate(scope, invoice)
    _check_ways(invoice, rows)
    changed = []
    for row in rows:
        taxes = _taxes(invoice, row, automatic)
        if taxes != row.data["taxes"]:
            row.data = {**row.data, "taxes": taxes}
            changed.append(row)
    return changed


def _taxes(invoice: JSON, row: StoredObject, automatic: JSON | None) -> list[JSON]:
    amount = row.data["amount"]
    if automatic is not None:
        reason = EXEMPT.get(invoice["customer_tax_exempt"])
        return [shown(automatic, 0, 0, reason=reason)] if reason else [tax_of(amount, automatic)]
    if "tax_amounts" in row.hidden:
        return list(row.hidden["tax_amounts"])
    rates = row.hidden.get("tax_rates") or invoice["default_tax_rates"]
    if reason := EXEMPT.get(invoice["customer_tax_exempt"]):
        return [shown(rate, 0, 0, reason=reason) for rate in rates]
    return [tax_of(amount, rate) for rate in rates]


def automatic_rate(scope: Scope, invoice: JSON) -> JSON | None:
    """The rate that automatic tax applies; None where it is off, or does not know where the customer is."""
    country = (invoice["customer_address"] or {}).get("country")
    if not invoice["automatic_tax"]["enabled"] or not country:
        return None
    percentage = STANDARD_RATES.get(country, OTHER_COUNTRIES)
    rate = {"percentage": percentage, "inclusive": False, "display_name": "Tax", "country": country}
    return archived_rate(scope, rate)


def status(invoice: JSON, *, enabled: bool) -> JSON:
    """An invoice's ``automatic_tax``."""
    known = bool((invoice["customer_address"] or {}).get("country"))
    return {
        "disabled_reason": None,
        "enabled": enabled,
        "liability": {"type": "self"} if enabled else None,
        "provider": "stripe" if enabled else None,
        "status": ("complete" if known else "requires_location_inputs") if enabled else None,
    }


def _check_ways(invoice: JSON, rows: Sequence[StoredObject]) -> None:
    """The three ways exclude each other, and automatic tax takes no negative lines."""
    rated = [row for row in rows if row.hidden.get("tax_rates")]
    dictated = [row for row in rows if "tax_amounts" in row.hidden]
    automatic = invoice["automatic_tax"]["enabled"]
    if dictated and (rated or invoice["default_tax_rates"] or automatic):
        raise _refused("You cannot set `tax_amounts` on an invoice that uses tax rates or automatic tax.")
    if automatic and (rated or invoice["default_tax_rates"]):
        raise _refused("You cannot use manual tax rates on an invoice with automatic tax enabled.")
    if automatic and any(row.data["amount"] < 0 for row in rows):
        raise _refused("You cannot add a line item with a negative amount to an invoice with automatic tax enabled.")


def _refused(message: str) -> Any:
    return bad_request(message, param="lines")
