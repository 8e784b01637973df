"""Settings -> Invoicing & Payments."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from billing_portal.accounts.roles import Permission
from billing_portal.portal.access import OperatorRequest, form_screen, may, open_verb
from billing_portal.portal.example_cycle import example_steps
from billing_portal.portal.navigation import show
from billing_portal.portal.settings_form import SettingsForm, sections_of
from billing_portal.portal.settings_outcome import tell_saved
from billing_portal.portal.stripe_card import card_of
from billing_portal.portal.stripe_oauth import leading_to_stripe
from customers.customer import Customer
from customers.errors import Invalid
from customers.settings import verbs
from customers.settings.policy import resolve, vendor_policy
from invoicing.invoices.logo_files import logo_file

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
        "sections": sections_of(form),
        "steps": example_steps(policy, request.vendor.zone, request.now),
        "logo": logo_file(request.vendor, policy),
        "stripe": card_of(request.vendor),
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
    steps = example_steps(resolve(form.resulting(), {}), request.vendor.zone, request.now) if form.is_valid() else []
    return render(request, "portal/settings/_meaning.html", {"form": form, "steps": steps})
