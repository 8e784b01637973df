"""What an invoice's lines and taxes come to. Tax is rounded half up, line by line."""

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from payments.sandbox.models import StoredObject
from payments.sandbox.pages import as_list
from payments.sandbox.scope import JSON

FIRST_PAGE = 10


def tax_of(amount: int, rate: JSON) -> JSON:
    """One tax on one line, as the line shows it."""
    percentage = Decimal(str(rate["percentage"]))
    base = 100 + percentage if rate["inclusive"] else Decimal(100)
    tax = int((amount * percentage / base).quantize(Decimal(1), ROUND_HALF_UP))
    return {
        "amount": tax,
        "tax_behavior": "inclusive" if rate["inclusive"] else "exclusive",
        "tax_rate_details": {"tax_rate": rate["id"]},
        "taxability_reason": "standard_rated",
        "taxable_amount": amount - tax if rate["inclusive"] else amount,
        "type": "tax_rate_details",
    }


def tax_lines(rows: Sequence[StoredObject], default_rates: Sequence[JSON]) -> list[StoredObject]:
    """Give each line its taxes; returns the lines that changed."""
    changed = []
    for row in rows:
        rates = row.hidden.get("tax_rates") or default_rates
        taxes = [tax_of(row.data["amount"], rate) for rate in rates]
        if taxes != row.data["taxes"]:
            row.data = {**row.data, "taxes": taxes}
            changed.append(row)
    return changed


def totals(invoice: JSON, rows: Sequence[StoredObject]) -> JSON:
    """The invoice's fields that follow from its lines."""
    subtotal = sum(row.data["amount"] for row in rows)
    taxes = _summed(tax for row in rows for tax in row.data["taxes"])
    exclusive = sum(tax["amount"] for tax in taxes if tax["tax_behavior"] == "exclusive")
    all_taxes = sum(tax["amount"] for tax in taxes)
    total = subtotal + exclusive
    due = max(total + invoice["starting_balance"], 0)
    return {
        "amount_due": due,
        "amount_remaining": due,
        "lines": as_list(
            [row.data for row in rows[:FIRST_PAGE]], invoice["lines"]["url"], has_more=len(rows) > FIRST_PAGE
        ),
        "subtotal": subtotal,
        "subtotal_excluding_tax": subtotal - (all_taxes - exclusive),
        "total": total,
        "total_excluding_tax": total - all_taxes,
        "total_taxes": taxes,
    }


def _summed(taxes: Any) -> list[JSON]:
    """The lines' taxes added up by rate."""
    by_rate: dict[tuple[str, str], JSON] = {}
    for tax in taxes:
        key = (tax["tax_rate_details"]["tax_rate"], tax["tax_behavior"])
        so_far = by_rate.get(key)
        added = {name: tax[name] + (so_far[name] if so_far else 0) for name in ("amount", "taxable_amount")}
        by_rate[key] = {**tax, **added}
    return list(by_rate.values())
