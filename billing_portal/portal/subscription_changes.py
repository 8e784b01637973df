"""Starting, changing and ending a customer's subscription, and what is put on it: add-ons, discounts, charges."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from billing_portal.accounts.roles import Permission
from billing_portal.portal import words
from billing_portal.portal.access import OperatorRequest, form_screen, may, verb
from billing_portal.portal.customer_subscription import currency_of, show_subscription
from billing_portal.portal.customers import find
from billing_portal.portal.forms import MOMENT_FORMATS, in_words, refuse
from billing_portal.portal.navigation import show
from billing_portal.portal.subscription_forms import (
    AddOnForm,
    ApplyCouponForm,
    ChangeForm,
    ChargeForm,
    DiscountForm,
    EndForm,
    SubscribeForm,
)
from customers.customer import Customer
from customers.errors import Refused
from invoicing.catalog.verbs import find_plan
from invoicing.invoices.change_preview import ChangePreview, preview_change
from invoicing.invoices.charges import add_charge, remove_charge
from invoicing.subscriptions import changes, verbs
from invoicing.subscriptions.changes import change_add_ons, give_discounts
from invoicing.subscriptions.coupons import find_coupon
from invoicing.subscriptions.models import AdhocCharge, Subscription
from invoicing.subscriptions.rules import current_bounds, cycle_rule


def _moment(request: OperatorRequest) -> dict[str, Any]:
    return {"actor": request.actor, "now": request.now, "real_now": request.real_now}


def _get(request: OperatorRequest, name: str) -> Customer:
    return get_object_or_404(Customer.objects.of(request.vendor).select_related("vendor"), name=name)


def _back(customer: Customer) -> HttpResponse:
    return redirect("portal:customer_subscription", name=customer.name)


# Beginning and ending


class QuickForm(forms.Form):
    plan = forms.CharField(max_length=128)
    effective_at = forms.DateTimeField(required=False, input_formats=MOMENT_FORMATS)


@verb(Permission.CHANGE_SUBSCRIPTION)
def subscribe(request: OperatorRequest, name: str) -> HttpResponse:
    """From the customer's overview: a plan, by name, and a start."""
    customer = _get(request, name)
    form = QuickForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Choose a price plan, and give the start as a date and time or leave it empty.")
        return redirect("portal:customer", name=name)
    try:
        plan = find_plan(request.vendor, form.cleaned_data["plan"])
        start = form.cleaned_data["effective_at"]
        _tell(request, verbs.subscribe(customer, plan, effective_at=start, **_moment(request)))
    except Refused as refusal:
        messages.error(request, in_words(refusal))
    return redirect("portal:customer", name=name)


@form_screen(Permission.CHANGE_SUBSCRIPTION)
def new_subscription(request: OperatorRequest, name: str) -> HttpResponse:
    """With all that a subscription can begin with."""
    customer = find(request, name)
    form = SubscribeForm(request.vendor, request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            start = form.cleaned_data["effective_at"]
            terms = {"effective_at": start, **form.terms(), **_moment(request)}
            _tell(request, verbs.subscribe(customer, form.chosen_plan(), **terms))
        except Refused as refusal:
            refuse(form, refusal)
        else:
            return _back(customer)
    context = {"form": form, "customer": customer, "editable": may(request, Permission.CHANGE_SUBSCRIPTION)}
    return show(request, "portal/customers/new_subscription.html", context, title="Subscribe", area="customers")


def _tell(request: OperatorRequest, made: Subscription) -> None:
    plan, customer = made.price_plan.label, made.customer
    messages.success(request, f"{customer} is subscribed to {plan} from {words.moment(made.effective_at)} on.")
    if made.effective_at < request.now:
        over = cycle_rule(made, request.vendor.zone).index_at(request.now)
        if over:
            count = words.length(over, "billing cycle")
            messages.info(request, f"{count} ended since then: {'its' if over == 1 else 'their'} invoices follow now.")


@verb(Permission.CHANGE_SUBSCRIPTION)
def end(request: OperatorRequest, name: str) -> HttpResponse:
    customer = _get(request, name)
    form = EndForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Say when the subscription ends: at the cycle's end, now, or at a date and time.")
        return redirect("portal:customer", name=name)
    try:
        ended = verbs.end_subscription(customer, **form.moment(), **_moment(request))
    except Refused as refusal:
        messages.error(request, in_words(refusal))
    else:
        _tell_ended(request, customer, ended)
    return redirect("portal:customer", name=name)


def _tell_ended(request: OperatorRequest, customer: Customer, ended: Subscription) -> None:
    if ended.expired_at == ended.effective_at:
        messages.success(request, f"The subscription of {customer} to {ended.price_plan.label} is called off.")
    elif ended.expired_at:
        messages.success(request, f"The subscription of {customer} ends {words.moment(ended.expired_at)}.")


# Another plan


@form_screen(Permission.CHANGE_SUBSCRIPTION)
def change_plan(request: OperatorRequest, name: str) -> HttpResponse:
    customer = find(request, name)
    current = _running(customer, request.now)
    if current is None:
        messages.error(request, f"{customer} has no running subscription: subscribe it to a price plan.")
        return _back(customer)
    form = ChangeForm(request.vendor, request.POST or None, but=current.price_plan_id)
    if request.method == "POST" and form.is_valid():
        try:
            made = verbs.change_plan(customer, form.chosen_plan(), **form.terms(), **_moment(request))
        except Refused as refusal:
            refuse(form, refusal)
        else:
            at = words.moment(made.effective_at)
            messages.success(
                request, f"{customer} changes from {current.price_plan.label} to {made.price_plan} at {at}."
            )
            return _back(customer)
    context = {
        "form": form,
        "customer": customer,
        "current": current,
        "preview": None,
        "editable": may(request, Permission.CHANGE_SUBSCRIPTION),
    }
    return show(request, "portal/customers/change_plan.html", context, title="Change plan", area="customers")


def _running(customer: Customer, now: datetime) -> Subscription | None:
    try:
        return verbs.find_active(customer, now)
    except Refused:
        return None


@verb(Permission.CHANGE_SUBSCRIPTION)
def preview_plan(request: OperatorRequest, name: str) -> HttpResponse:
    """What the change would bill. Nothing of it stays."""
    customer = _get(request, name)
    form = ChangeForm(request.vendor, request.POST)
    found: ChangePreview | None = None
    problem = ""
    if form.is_valid():
        try:
            found = preview_change(
                lambda: verbs.change_plan(customer, form.chosen_plan(), **form.terms(), **_moment(request)),
                now=request.now,
            )
        except Refused as refusal:
            problem = in_words(refusal)
    return render(
        request,
        "portal/customers/_change_preview.html",
        {"form": form, "preview": found, "problem": problem, "now": request.now},
    )


# What is put on it


@verb(Permission.CHANGE_SUBSCRIPTION)
def change_add_on(request: OperatorRequest, name: str) -> HttpResponse:
    def act(customer: Customer, current: Subscription, form: AddOnForm) -> str:
        start, end = current_bounds(current, request.vendor.zone, request.now)
        [change] = change_add_ons(current, [form.order(start, end)], **_moment(request))
        more = "more" if change.quantity > 0 else "fewer"
        at = words.moment(change.effective_at)
        return f"{customer} has {abs(change.quantity).normalize():f} {more} of {change.add_on} from {at} on."

    return _put_on(request, name, "add_on", lambda current: AddOnForm(current, request.POST, prefix="add_on"), act)


@verb(Permission.CHANGE_SUBSCRIPTION)
def give_discount(request: OperatorRequest, name: str) -> HttpResponse:
    def act(customer: Customer, current: Subscription, form: DiscountForm) -> str:
        give_discounts(current, [form.draft()], **_moment(request))
        return f"The discount of {customer} is given."

    return _put_on(
        request, name, "discount", lambda current: DiscountForm(current, request.POST, prefix="discount"), act
    )


@verb(Permission.CHANGE_SUBSCRIPTION)
def use_coupon(request: OperatorRequest, name: str) -> HttpResponse:
    def act(customer: Customer, current: Subscription, form: ApplyCouponForm) -> str:
        coupon = find_coupon(request.vendor, name=form.cleaned_data["coupon"])
        changes.use_coupon(current, coupon, **_moment(request))
        return f"{customer} uses the coupon {coupon}."

    return _put_on(
        request, name, "coupon", lambda _: ApplyCouponForm(request.vendor, request.POST, prefix="coupon"), act
    )


def _put_on(
    request: OperatorRequest,
    name: str,
    place: str,
    make: Callable[[Subscription], Any],
    act: Callable[[Customer, Subscription, Any], str],
) -> HttpResponse:
    """On the running subscription, or else on the next one. A form that is refused stands open and says why."""
    customer = find(request, name)
    try:
        current = verbs.running_or_next(customer, request.now)
    except Refused as refusal:
        messages.error(request, refusal.message)
        return _back(customer)
    form = make(current)
    if form.is_valid():
        try:
            done = act(customer, current, form)
        except Refused as refusal:
            refuse(form, refusal)
        else:
            messages.success(request, done)
            return _back(customer)
    return show_subscription(request, customer, **{place: form})


@verb(Permission.CHANGE_SUBSCRIPTION)
def end_discount(request: OperatorRequest, name: str, uuid: UUID) -> HttpResponse:
    """With the end of the running cycle, or with its start."""
    customer = _get(request, name)
    duration = 0 if request.POST.get("when") == "cycle_start" else 1
    try:
        changes.end_discount(customer, uuid, duration=duration, **_moment(request))
    except Refused as refusal:
        messages.error(request, in_words(refusal))
    else:
        when = "after the running billing cycle" if duration else "from the running billing cycle on"
        messages.success(request, f"The discount of {customer} lowers nothing more {when}.")
    return _back(customer)


@verb(Permission.CHANGE_SUBSCRIPTION)
def new_charge(request: OperatorRequest, name: str) -> HttpResponse:
    customer = find(request, name)
    currency = currency_of(customer, _running(customer, request.now))
    form = ChargeForm(currency, request.POST, prefix="charge")
    if form.is_valid():
        try:
            charge = add_charge(customer, form.draft(request.now), **_moment(request))
        except Refused as refusal:
            refuse(form, refusal)
        else:
            messages.success(request, f"The charge “{charge}” joins the next invoice of {customer}.")
            return _back(customer)
    return show_subscription(request, customer, charge=form)


@verb(Permission.CHANGE_SUBSCRIPTION)
def drop_charge(request: OperatorRequest, name: str, uuid: UUID) -> HttpResponse:
    customer = _get(request, name)
    charge = get_object_or_404(AdhocCharge.objects.of(request.vendor), customer=customer, uuid=uuid)
    try:
        remove_charge(charge, **_moment(request))
    except Refused as refusal:
        messages.error(request, refusal.message)
    else:
        messages.success(request, f"The charge “{charge}” is called off.")
    return _back(customer)
