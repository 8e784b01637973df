"""What the portal's templates show: money, moments, statuses."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from typing import Any

from django import template
from django.template.context import Context
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from billing_portal.portal import bounded, charts, words
from billing_portal.portal.stripe_links import dashboard_link
from customers import money as amounts
from invoicing.invoices.models import Invoice
from invoicing.invoices.states import COLOURS, OPEN
from payments.stripe.models import StripePaymentMethod

register = template.Library()


@register.filter
def money(minor: int, currency: str) -> str:
    return amounts.format_money(minor, currency)


@register.filter
def day(at: datetime | None) -> str:
    return words.day(at) if at else ""


@register.filter
def short_moment(at: datetime) -> str:
    """Where there is little room and the zone is said beside it: 3 Mar, 12:00."""
    return f"{words.day_of_month(at)}, {timezone.localtime(at):%H:%M}"


@register.filter
def last_day(end: datetime | None) -> str:
    return words.last_day(end) if end else ""


@register.simple_tag(takes_context=True)
def moment(context: Context, at: datetime | None) -> SafeString | str:
    """The exact time with its zone; how long until or since then on hover."""
    if at is None:
        return "—"
    title = words.relative(at, context["now"])
    return format_html('<time datetime="{}" title="{}">{}</time>', at.isoformat(), title, words.moment(at))


@register.simple_tag(takes_context=True)
def relative(context: Context, at: datetime | None) -> SafeString | str:
    """How long until or since then; the exact time with its zone on hover."""
    if at is None:
        return "—"
    text = words.relative(at, context["now"])
    return format_html('<time datetime="{}" title="{}">{}</time>', at.isoformat(), words.moment(at), text)


@register.simple_tag(takes_context=True)
def due(context: Context, invoice: Invoice) -> str:
    """When it is due, in words; nothing once nobody waits for the money any more."""
    if invoice.state not in OPEN:
        return ""
    return words.due(invoice.due_date, context["now"])


@register.simple_tag
def chip(text: Any, tone: str = "default", icon: str = "") -> SafeString:
    """A label. The word is always there, the colour only helps."""
    mark = format_html('<span class="material-symbols-outlined" aria-hidden="true">{}</span>', icon) if icon else ""
    return format_html('<span class="bp-chip bp-chip--{}">{}{}</span>', tone, mark, text)


@register.simple_tag
def status(invoice: Invoice) -> SafeString:
    return chip(invoice.state.label, COLOURS[invoice.state])


@register.simple_tag
def icon(name: str, extra: str = "") -> SafeString:
    return format_html('<span class="material-symbols-outlined {}" aria-hidden="true">{}</span>', extra, name)


@register.filter
def quantity(value: Decimal) -> str:
    """With separators and as many decimals as it has: 1,234.5."""
    return f"{value.normalize():,f}"


@register.filter
def decimal(text: str) -> Decimal:
    return Decimal(text)


@register.filter
def unit_price(minor: Decimal, currency: str) -> str:
    return amounts.format_unit_price(minor, currency)


@register.simple_tag(takes_context=True)
def real_relative(context: Context, at: datetime) -> SafeString:
    """Like ``relative``, for things that happen in real time whatever the vendor's clock says."""
    text = words.relative(at, context["real_now"])
    return format_html('<time datetime="{}" title="{}">{}</time>', at.isoformat(), words.moment(at), text)


BRANDS = {
    "amex": "American Express",
    "diners": "Diners Club",
    "jcb": "JCB",
    "unionpay": "UnionPay",
    "us_bank_account": "US bank account",
}


@register.filter
def method_name(method: StripePaymentMethod) -> str:
    """Visa •••• 4242"""
    kind = method.brand or method.type
    words_of_kind = kind.replace("_", " ")
    name = BRANDS.get(kind, words_of_kind[:1].upper() + words_of_kind[1:])
    return f"{name} •••• {method.last4}" if method.last4 else name


@register.filter
def json_text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


@register.inclusion_tag("portal/_chart.html")
def chart(bars: charts.Bars, id: str) -> dict[str, Any]:  # noqa: A002 - as it is called in HTML
    """``id`` is the chart's own within its page."""
    return {"chart": bars, "drawing": charts.draw(bars), "rows": charts.rows(bars), "id": id}


@register.simple_tag
def stripe_id(external_id: str, reference: str) -> SafeString:
    """An id of Stripe's, leading to its page there where it has one."""
    link = dashboard_link(external_id, reference)
    text = format_html('<span class="bp-mono">{}</span>', external_id)
    if not link:
        return text
    return format_html('<a class="bp-link" href="{}" rel="noopener noreferrer" target="_blank">{}</a>', link, text)


@register.filter
def up_to(count: int) -> str:
    """What ``bounded`` counted: 1,000+ where counting stopped."""
    return str(bounded.Count(count))
