"""How much of an invoice's computation its customer sees: the setting ``customer_invoice_detail_level``.

It changes what is printed and nothing else: line items, totals and the API stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from customers.money import format_unit_price
from customers.settings.declaration import DetailLevel
from customers.settings.policy import BillingPolicy
from invoicing.invoices.documents.model import DocumentLine
from invoicing.invoices.models import Invoice, LineItem
from invoicing.rating.terms import LineKind

# Their texts explain how the amount came about; those of the other kinds were written by somebody.
_COMPUTED = frozenset({LineKind.BASE_PRICE, LineKind.METERED_COMPONENT})


def detail_level(invoice: Invoice, policy: BillingPolicy) -> DetailLevel:
    """Of an invoice that was issued: the one it was issued under, so that a receipt says what the invoice said."""
    if invoice.issued_at is not None and (kept := invoice.policy_snapshot.get("customer_invoice_detail_level")):
        return DetailLevel(kept["value"])
    return DetailLevel(policy.customer_invoice_detail_level)


def document_lines(invoice: Invoice, level: DetailLevel) -> tuple[DocumentLine, ...]:
    items = list(invoice.line_items.all())
    if level == DetailLevel.DETAILED:
        return tuple(_line(item, invoice.currency) for item in items)
    return tuple(_summed_up(items))


def line_text(item: LineItem, level: DetailLevel) -> str:
    """The line as a gateway prints it, which has one text for it."""
    if level == DetailLevel.SUMMARY and item.kind in _COMPUTED:
        return item.name
    return f"{item.name}: {item.description}" if item.description else item.name


def _line(item: LineItem, currency: str) -> DocumentLine:
    return DocumentLine(
        name=item.name,
        amount=item.amount,
        description=item.description,
        quantity=item.quantity,
        quantity_unit=item.quantity_unit,
        unit_price_text="" if item.unit_price is None else format_unit_price(item.unit_price, currency),
        period_start=item.start_time,
        period_end=item.end_time,
    )


def _summed_up(items: Iterable[LineItem]) -> list[DocumentLine]:
    """One line a component, in the place of its first; what a price list split by labels is one again."""
    found: dict[tuple[object, ...], DocumentLine] = {}
    for item in items:
        component = item.metadata.get("metered_component_uuid") if item.kind == LineKind.METERED_COMPONENT else None
        key = (component or item.pk, item.start_time, item.end_time)
        so_far = found.get(key)
        found[key] = replace(so_far, amount=so_far.amount + item.amount) if so_far else _plain(item)
    return list(found.values())


def _plain(item: LineItem) -> DocumentLine:
    labels = ", ".join(item.metadata.get("labels", {}).values())
    return DocumentLine(
        name=item.name.removesuffix(f" ({labels})"),
        amount=item.amount,
        description="" if item.kind in _COMPUTED else item.description,
        period_start=item.start_time,
        period_end=item.end_time,
    )
