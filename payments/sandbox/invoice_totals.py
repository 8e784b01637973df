"""What an invoice's lines and their taxes come to."""

from collections.abc import Sequence
from typing import Any

from payments.sandbox.models import StoredObject
from payments.sandbox.pages import as_list
from payments.sandbox.scope import JSON

FIRST_PAGE = 10


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
