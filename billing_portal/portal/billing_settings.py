"""Settings -> Invoicing & Payments."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from billing_portal.accounts.roles import Permission
from billing_portal.portal.access import OperatorRequest, form_screen, may, open_verb, verb
from billing_portal.portal.navigation import show
from billing_portal.portal.overriding import overriding_counts
from billing_portal.portal.settings_examples import meaning_of
from billing_portal.portal.settings_form import SettingsForm, sections_of
from billing_portal.portal.settings_outcome import tell_saved
from billing_portal.portal.stripe_card import card_of
from billing_portal.portal.stripe_oauth import leading_to_stripe
from billing_portal.portal.timeline import timeline_of
from customers.customer import Customer
from customers.errors import Invalid
from customers.events.models import EventKind, SubjectKind
from customers.settings import verbs
from customers.settings.policy import vendor_policy
from invoicing.invoices.logo_files import logo_file
from invoicing.invoices.numbering import next_number, start_at

OVERRIDING_SHOWN = 12


@form_screen(Permission.CHANGE_SETTINGS)
def billing_settings(request: OperatorRequest) -> HttpResponse:
    policy = vendor_policy(request.vendor)
    form = SettingsForm(policy, request.POST or None)
    if request.method == "POST" and form.is_valid() and _save(request, form):
        return redirect("portal:billing_settings")
    overriding = Customer.objects.of(request.vendor).filter(billing_override__isnull=False)
    context = {
        "form": form,
        "sections": sections_of(form, overriding_counts(request.vendor)),
        "meaning": meaning_of(request, policy),
        "timeline": timeline_of(request.vendor, SubjectKind.VENDOR, request.vendor.pk, EventKind.SETTINGS_CHANGED),
        "next_number": next_number(request.vendor, policy, real_now=request.real_now),
        "logo": logo_file(request.vendor, policy),
        "stripe": card_of(request.vendor, real_now=request.real_now),
        "callback_url": settings.PUBLIC_URL + reverse("portal:stripe_callback"),
        "may_connect": may(request, Permission.CONNECT_STRIPE),
        "overriding": list(overriding.order_by("display_name", "pk")[:OVERRIDING_SHOWN]),
        "overriding_count": overriding.count(),
        "customer_count": Customer.objects.of(request.vendor).count(),
        "editable": may(request, Permission.CHANGE_SETTINGS),
    }
    page = show(request, "portal/settings/page.html", context, title="Invoicing & Payments", area="billing_settings")
    return leading_to_stripe(page)


def _save(request: OperatorRequest, form: SettingsForm) -> bool:
    """False when the verb refused; the form then says why."""
    try:
        saved = verbs.save_vendor_settings(
            request.vendor, form.chosen(), actor=request.actor, now=request.now, real_now=request.real_now
        )
    except Invalid as refusal:
        form.refuse(refusal)
        return False
    tell_saved(request, "The settings are saved.", saved)
    return True


@open_verb
def preview_settings(request: OperatorRequest) -> HttpResponse:
    form = SettingsForm(vendor_policy(request.vendor), request.POST)
    typed = form.typed_policy() if form.is_valid() else None
    meaning = meaning_of(request, typed, is_typed=True) if typed else None
    return render(request, "portal/settings/_meaning.html", {"form": form, "meaning": meaning})


class NextNumberForm(forms.Form):
    next_number = forms.IntegerField(min_value=1)


@verb(Permission.CHANGE_SETTINGS)
def set_next_number(request: OperatorRequest) -> HttpResponse:
    form = NextNumberForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Give the next number as a whole number.")
        return redirect("portal:billing_settings")
    moment: dict[str, Any] = {"actor": request.actor, "now": request.now, "real_now": request.real_now}
    try:
        following = start_at(request.vendor, form.cleaned_data["next_number"], **moment)
    except Invalid as refusal:
        messages.error(request, " ".join(refusal.errors["next_number"]))
    else:
        messages.success(request, f"The next invoice is {following.text}.")
    return redirect("portal:billing_settings")
