"""A customer's Subscription and usage: what it is on, what it has besides, and what it used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django import forms
from django.http import HttpResponse

from billing_portal.accounts.roles import Permission
from billing_portal.portal import customer_facts
from billing_portal.portal.access import OperatorRequest, may, screen
from billing_portal.portal.customers import find, show_tab
from billing_portal.portal.limit_forms import LimitsForm
from billing_portal.portal.running_cycle import cycle_at
from billing_portal.portal.subscription_forms import AddOnForm, ApplyCouponForm, ChargeForm, DiscountForm
from billing_portal.portal.usage_charts import SPANS, usage_chart
from billing_portal.portal.usage_form import UsageForm
from customers.customer import Customer
from customers.money import format_money, format_unit_price
from invoicing.catalog.models import AddOn
from invoicing.invoices.preview import preview_of
from invoicing.subscriptions.add_ons import held_at
from invoicing.subscriptions.discounts import current_index
from invoicing.subscriptions.models import AdhocCharge, Discount, Subscription
from invoicing.subscriptions.rules import cycle_rule
from invoicing.subscriptions.usage_limits import standings
from invoicing.subscriptions.verbs import history

MOST_SHOWN = 50


@screen
def subscription(request: OperatorRequest, name: str) -> HttpResponse:
    return show_subscription(request, find(request, name))


def show_subscription(request: OperatorRequest, customer: Customer, **wrong: forms.Form) -> HttpResponse:
    """``wrong`` are forms that were refused, by their place on the page: they stand open and say why."""
    current = customer_facts.subscription_at(customer, request.now)
    if current:
        current.vendor, current.customer = request.vendor, customer
    cycle = cycle_at(current, request.now)
    context = {
        "subscription": current,
        "cycle": cycle,
        "cycle_preview": preview_of(cycle, now=request.now) if cycle else None,
        "limits": standings([cycle], real_now=request.real_now) if cycle else [],
        "chart": usage_chart(customer, current, cycle, request.GET, request.now),
        "spans": SPANS,
        "others": [one for one in history(customer).reverse()[:MOST_SHOWN] if one != current],
        "charges": _charges(customer),
        "currency": currency_of(customer, current),
        "add_ons": held_add_ons(current, request.now) if current else [],
        "discounts": discounts_shown(current, request.now) if current else [],
        "limit_forms": _limit_forms(request, current, wrong),
        "open": list(wrong),
        "forms": {**_forms(request, customer, current), **wrong},
    }
    return show_tab(request, customer, "customer_subscription", context)


def currency_of(customer: Customer, current: Subscription | None) -> str:
    return customer.currency or (current.price_plan.currency if current else customer.vendor.currency)


def _forms(request: OperatorRequest, customer: Customer, current: Subscription | None) -> dict[str, forms.Form]:
    found: dict[str, forms.Form] = {
        "charge": ChargeForm(currency_of(customer, current), prefix="charge"),
        "usage": UsageForm(request.vendor, prefix="usage"),
    }
    if current:
        found["discount"] = DiscountForm(current, prefix="discount")
        found["coupon"] = ApplyCouponForm(request.vendor, prefix="coupon")
        found["add_on"] = AddOnForm(current, prefix="add_on")
    return found


def _limit_forms(
    request: OperatorRequest, current: Subscription | None, wrong: Mapping[str, forms.Form]
) -> list[forms.Form]:
    """One for each metered component, to those who may change the catalog."""
    if current is None or not may(request, Permission.CHANGE_CATALOG):
        return []
    components = current.price_plan.metered_components.select_related("meter").order_by("pk")
    found = [LimitsForm(component) for component in components]
    return [wrong.get(form.place, form) for form in found]


def _charges(customer: Customer) -> list[AdhocCharge]:
    rows = AdhocCharge.objects.of(customer.vendor).filter(customer=customer).order_by("-charge_time", "-pk")
    return list(rows.select_related("line_item__invoice")[:MOST_SHOWN])


@dataclass(frozen=True)
class HeldAddOn:
    """One add-on of the plan: how many there are now, at which price, and what is ordered for later."""

    add_on: AddOn
    count: Decimal
    price: str
    later: Sequence[tuple[datetime, Decimal]]


def held_add_ons(current: Subscription, now: datetime) -> list[HeldAddOn]:
    held, changes = held_at(current, max(now, current.effective_at)), list(current.add_on_changes.all())
    nothing: tuple[Decimal, Decimal | None] = (Decimal(0), None)
    found = []
    for add_on in current.price_plan.add_ons.all():
        count, own = held.get(add_on.pk, nothing)
        later = [
            (one.effective_at, one.quantity)
            for one in changes
            if one.add_on_id == add_on.pk and one.effective_at > max(now, current.effective_at)
        ]
        found.append(HeldAddOn(add_on, count, add_on_price(add_on, own, current.price_plan.currency), later))
    return found


def add_on_price(add_on: AddOn, own: Decimal | None, currency: str) -> str:
    """In words, as it is billed."""
    prices = [own] if own is not None else [Decimal(tier["price"]) for tier in add_on.prices]
    text = format_unit_price(prices[0], currency) if len(prices) == 1 else "Tiered"
    return f"{text}{' of its own' if own is not None else ''}{_how_often(add_on)}"


def _how_often(add_on: AddOn) -> str:
    every = "" if add_on.charge_frequency > 1 else ", a part in each"
    many = f" for {add_on.price_frequency} cycles{every}" if add_on.price_frequency > 1 else " a cycle"
    return f"{', once' if add_on.single_use else many}{', when added' if add_on.immediately_charge else ''}"


@dataclass(frozen=True)
class DiscountShown:
    discount: Discount
    takes: str
    of: str
    coupon: str
    start: datetime
    end: datetime | None
    state: str


def discounts_shown(current: Subscription, now: datetime) -> list[DiscountShown]:
    """Those that run or are still to come first."""
    rule, index = cycle_rule(current, current.vendor.zone), current_index(current, now)
    rows = current.discounts.select_related("metered_component__meter", "add_on", "coupon_use__coupon").order_by("-pk")
    found = []
    for one in rows[:MOST_SHOWN]:
        over = one.end_cycle is not None and one.end_cycle <= index
        use = getattr(one, "coupon_use", None)
        found.append(
            DiscountShown(
                one,
                takes=taken_off(one.discount_type, one.amount, current.price_plan.currency),
                of=_lowered(one),
                coupon=use.coupon.name if use else "",
                start=rule.bounds(one.first_cycle)[0],
                end=None if one.end_cycle is None else rule.bounds(one.end_cycle)[0],
                state="Over" if over else "Running" if one.first_cycle <= index else "To come",
            )
        )
    return sorted(found, key=lambda shown: shown.state == "Over")


def _lowered(discount: Discount) -> str:
    """The component or add-on with its labels, or what else it takes from."""
    part = discount.metered_component or discount.add_on
    labels = ", ".join(f"{name} {value}" for name, value in discount.labels.items())
    return f"{part.label if part else discount.get_scope_display()}{f' ({labels})' if labels else ''}"


def taken_off(discount_type: str, amount: Decimal, currency: str) -> str:
    """25 %, or $20.00."""
    if discount_type == Discount.Type.PERCENT:
        return f"{amount.normalize():f} %"
    return format_money(int(amount), currency)
