"""How does the tax get onto a Stripe invoice, to the cent and as tax?

Our figure is authoritative. Whether Stripe rounds tax line by line or on the invoice, and halves up or to
even, is not documented: where all of these give our figure the invoice gets a tax rate, and otherwise the
exact amount of tax on each line. ``StripeTaxRate`` keeps one rate for each account, mode, percentage,
inclusiveness and name; it is made once, so an invoice needs no call for it.

Where the settings leave tax to Stripe, it computes it (``automatic_tax``) and ours is copied from its.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.db import transaction

from invoicing.gateways import GatewayRejected, OrderLine, OrderTax
from payments.stripe import texts
from payments.stripe.client import AccountClient
from payments.stripe.lines import apportion
from payments.stripe.models import StripeTaxRate

JSON = dict[str, Any]

# Stripe forgets idempotency keys after 24 hours; a rate that is still without its id then is looked for.
KEY_LASTS = timedelta(hours=23)


def _half_up(amount: Fraction) -> int:
    size = int(abs(amount) + Fraction(1, 2))
    return size if amount >= 0 else -size


def _half_towards_plus(amount: Fraction) -> int:
    return (amount + Fraction(1, 2)).__floor__()


ROUNDINGS: tuple[Callable[[Fraction], int], ...] = (_half_up, round, _half_towards_plus)


def is_unambiguous(tax: OrderTax, lines: Sequence[OrderLine]) -> bool:
    """Whether every way in which Stripe may round gives our figure."""
    exact = _exact(tax, lines)
    figures = {round_(sum(exact, Fraction(0))) for round_ in ROUNDINGS}
    figures |= {sum(round_(amount) for amount in exact) for round_ in ROUNDINGS}
    return figures == {tax.amount}


def exact_amounts(tax: OrderTax, lines: Sequence[OrderLine]) -> list[JSON]:
    """Our tax, spread over the lines in proportion."""
    shares = apportion(tax.amount, _exact(tax, lines))
    data = {
        "display_name": texts.cut(tax.name, texts.TAX_NAME),
        "inclusive": tax.inclusive,
        "percentage": float(Decimal(tax.percentage)),
    }
    return [
        {"amount": share, "taxable_amount": line.amount - (share if tax.inclusive else 0), "tax_rate_data": data}
        for line, share in zip(lines, shares, strict=True)
    ]


def _exact(tax: OrderTax, lines: Sequence[OrderLine]) -> list[Fraction]:
    """The tax on each line before rounding."""
    rate = Fraction(Decimal(tax.percentage))
    of = 100 + rate if tax.inclusive else Fraction(100)
    return [line.amount * rate / of for line in lines]


def rate_id(client: AccountClient, tax: OrderTax, *, real_now: datetime) -> str:
    """Stripe's id of the tax rate, which is made where the account has none yet. However many ask at once, they
    send the same key for the same row, and so get the same rate."""
    row, is_new = _claim(client, tax, real_now)
    if row.external_id:
        return row.external_id
    found = "" if is_new or row.claimed_at > real_now - KEY_LASTS else _find(client, row)
    external_id = found or client.create_tax_rate(_params(row), key=f"tax-rate-{row.uuid}")["id"]
    StripeTaxRate.objects.filter(pk=row.pk).update(external_id=external_id)
    return str(external_id)


def _claim(client: AccountClient, tax: OrderTax, real_now: datetime) -> tuple[StripeTaxRate, bool]:
    with transaction.atomic():
        return StripeTaxRate.objects.get_or_create(
            account_id=client.account_id,
            livemode=client.livemode,
            percentage=Decimal(tax.percentage),
            inclusive=tax.inclusive,
            display_name=texts.cut(tax.name, texts.TAX_NAME),
            defaults={"uuid": uuid.uuid4(), "claimed_at": real_now},
        )


def _params(row: StripeTaxRate) -> JSON:
    return {
        "display_name": row.display_name,
        "percentage": float(row.percentage),
        "inclusive": row.inclusive,
        "metadata": {"portal_tax_rate": str(row.uuid)},
    }


def _find(client: AccountClient, row: StripeTaxRate) -> str:
    rates = client.list_tax_rates({"inclusive": row.inclusive})
    ours = (rate["id"] for rate in rates if (rate.get("metadata") or {}).get("portal_tax_rate") == str(row.uuid))
    return next(ours, "")


def forget_refused(client: AccountClient, external_id: str, error: GatewayRejected) -> None:
    """Somebody archived or removed the rate in Stripe: the next attempt makes another one."""
    if "tax" in error.message.lower() or external_id in error.message:
        StripeTaxRate.objects.filter(
            account_id=client.account_id, livemode=client.livemode, external_id=external_id
        ).delete()
