"""The customer list and the customer page with its tabs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from billing_portal.accounts.roles import Permission
from billing_portal.portal import customer_facts
from billing_portal.portal.access import OperatorRequest, form_screen, may, open_verb, screen, verb
from billing_portal.portal.customer_filters import selection
from billing_portal.portal.invoice_verbs import offered
from billing_portal.portal.invoices import rows_of
from billing_portal.portal.keyset import newest_first
from billing_portal.portal.navigation import show
from billing_portal.portal.running_cycle import cycle_at, usage_in
from billing_portal.portal.saved_views import views_of
from billing_portal.portal.settings_examples import meaning_of
from billing_portal.portal.settings_form import OverrideForm, Row, all_rows, sections_of
from billing_portal.portal.settings_outcome import tell_saved
from billing_portal.portal.timeline import timeline_of, timeline_of_customer
from customers.customer import Customer
from customers.errors import Invalid, Missing
from customers.events.models import EventKind, SubjectKind
from customers.settings import verbs
from customers.settings.models import BillingSettingsOverride
from customers.settings.policy import policy_for, vendor_policy
from invoicing.catalog.verbs import latest_plans
from invoicing.invoices.models import Invoice
from invoicing.invoices.preview import preview_of
from invoicing.invoices.regeneration import without_invoice
from invoicing.invoices.reschedule import would_move
from invoicing.invoices.verbs import InvoiceVerb
from invoicing.subscriptions import usage_limits
from invoicing.subscriptions.models import BillingCycle
from payments.reconcile.models import ImportedInvoice

PLANS_SHOWN = 200
MOST_IMPORTED = 100
TABS = (
    ("customer", "Overview"),
    ("customer_subscription", "Subscription and usage"),
    ("customer_invoices", "Invoices"),
    ("customer_payments", "Integrations → Payments"),
    ("customer_settings", "Billing settings"),
    ("customer_activity", "Activity"),
)


@screen
def customer_list(request: OperatorRequest) -> HttpResponse:
    chosen = selection(request, request.GET)
    page = newest_first(
        chosen.rows, "created_at", before=request.GET.get("before", ""), after=request.GET.get("after", "")
    )
    shown = customer_facts.loaded(request.vendor, page.rows)
    rows = customer_facts.rows_of(request.vendor, shown, request.now)
    context: dict[str, Any] = {"page": page, "rows": rows, "chosen": chosen, "search": chosen.search}
    context["views"] = views_of(request, "customers", chosen.query)
    return show(request, "portal/customers/list.html", context, title="Customers", area="customers")


def find(request: OperatorRequest, name: str) -> Customer:
    """The vendor's customer, with what the head of its page tells. Raises ``Http404``."""
    rows = customer_facts.with_facts(Customer.objects.of(request.vendor).select_related("vendor"), request.vendor)
    return get_object_or_404(rows, name=name)


def show_tab(request: OperatorRequest, customer: Customer, tab: str, context: Mapping[str, Any]) -> HttpResponse:
    """One tab of the page, below the head that all of them share."""
    row = customer_facts.rows_of(request.vendor, [customer], request.now)[0]
    rows = Invoice.objects.of(request.vendor).filter(customer=customer, status="PAYMENT_FAILED")
    failed = rows.select_related("customer", "vendor").order_by("-generated_at").first()
    head = {
        "customer": customer,
        "row": row,
        "tabs": TABS,
        "tab": tab,
        "failed_invoice": failed,
        "retry": next((one for one in offered(request, failed) if one.verb == InvoiceVerb.PAY), None)
        if failed
        else None,
    }
    template = f"portal/customers/{tab}.html"
    return show(request, template, {**head, **context}, title=customer.display_name, area="customers")


@screen
def overview(request: OperatorRequest, name: str) -> HttpResponse:
    customer = find(request, name)
    subscription = customer_facts.subscription_at(customer, request.now)
    cycle = cycle_at(subscription, request.now)
    context = {
        "subscription": subscription,
        "cycle": cycle,
        "usage": usage_in(cycle, request.now),
        "limits": usage_limits.standings([cycle], real_now=request.real_now) if cycle else [],
        "preview": preview_of(cycle, now=request.now) if cycle else None,
        "plans": list(latest_plans(request.vendor)[:PLANS_SHOWN]) if subscription is None else [],
        "metadata": list(customer.metadata.order_by("property")),
        "mappings": list(customer.measurement_mappings.order_by("label")),
        "totals": customer_facts.totals_of(request.vendor, customer, request.now),
    }
    return show_tab(request, customer, "customer", context)


@screen
def invoices(request: OperatorRequest, name: str) -> HttpResponse:
    customer = find(request, name)
    mine = Invoice.objects.of(request.vendor).filter(customer=customer).select_related("customer")
    page = newest_first(mine, "generated_at", before=request.GET.get("before", ""), after=request.GET.get("after", ""))
    imported = ImportedInvoice.objects.of(request.vendor).filter(customer=customer).order_by("-made_at", "-pk")
    uninvoiced = without_invoice(BillingCycle.objects.of(request.vendor)).filter(customer=customer).order_by("-end")
    context = {
        "page": page,
        "rows": rows_of(request, page.rows),
        "imported": imported[:MOST_IMPORTED],
        "uninvoiced": uninvoiced[:MOST_IMPORTED],
    }
    return show_tab(request, customer, "customer_invoices", context)


@form_screen(Permission.CHANGE_OVERRIDE)
def billing_settings(request: OperatorRequest, name: str) -> HttpResponse:
    customer = find(request, name)
    policy, inherited = policy_for(customer), vendor_policy(request.vendor)
    form = OverrideForm(policy, inherited, request.POST or None)
    if request.method == "POST" and form.is_valid() and _save_override(request, customer, form):
        return redirect("portal:customer_settings", name=customer.name)
    has_override = BillingSettingsOverride.objects.of(request.vendor).filter(customer=customer).exists()
    removing = would_move(request.vendor, customer, inherited, real_now=request.real_now) if has_override else None
    context = {
        "form": form,
        "sections": sections_of(form),
        "meaning": meaning_of(request, policy, customer),
        "removing": removing,
        "timeline": timeline_of(request.vendor, SubjectKind.CUSTOMER, customer.pk, EventKind.OVERRIDE_CHANGED),
        "differences": [s for s in sections_of(form) if any(row.differs for row in s.rows)],
        "editable": may(request, Permission.CHANGE_OVERRIDE),
        "has_override": has_override,
    }
    return show_tab(request, customer, "customer_settings", context)


def _save_override(request: OperatorRequest, customer: Customer, form: OverrideForm) -> bool:
    """False when the verb refused; the form then says why."""
    moment: dict[str, Any] = {"actor": request.actor, "now": request.now, "real_now": request.real_now}
    try:
        if form.cleaned_data["enabled"]:
            saved = verbs.save_override(customer, form.chosen(), **moment)
        else:
            saved = verbs.remove_override(customer, **moment)
    except Invalid as refusal:
        form.refuse(refusal)
        return False
    except Missing:
        messages.info(request, f"{customer} is billed by the vendor's settings already.")
        return True
    what = f"The overrides of {customer} are " + ("saved." if form.cleaned_data["enabled"] else "removed.")
    tell_saved(request, what, saved)
    return True


@verb(Permission.CHANGE_OVERRIDE)
def reset_override(request: OperatorRequest, name: str) -> HttpResponse:
    """One setting, or without a name all of them, is the vendor's again."""
    customer = find(request, name)
    moment: dict[str, Any] = {"actor": request.actor, "now": request.now, "real_now": request.real_now}
    row = next((row for row in all_rows() if row.key == request.POST.get("setting")), None)
    if request.POST.get("setting") and row is None:
        raise Http404("There is no such setting.")
    try:
        if row:
            what, saved = f"“{row.label}” of {customer}", verbs.save_override(customer, _nothing_of(row), **moment)
        else:
            what, saved = f"Every setting of {customer}", verbs.remove_override(customer, **moment)
    except Missing:
        messages.info(request, f"{customer} is billed by the vendor's settings already.")
    else:
        tell_saved(request, f"{what} is the vendor's again.", saved)
    return redirect("portal:customer_settings", name=customer.name)


def _nothing_of(row: Row) -> dict[str, Any]:
    return dict.fromkeys(row.names())


@open_verb
def preview_override(request: OperatorRequest, name: str) -> HttpResponse:
    customer = find(request, name)
    form = OverrideForm(policy_for(customer), vendor_policy(request.vendor), request.POST)
    typed = form.typed_policy() if form.is_valid() else None
    meaning = meaning_of(request, typed, customer, is_typed=True) if typed else None
    return render(request, "portal/settings/_meaning.html", {"form": form, "meaning": meaning})


@screen
def activity(request: OperatorRequest, name: str) -> HttpResponse:
    customer = find(request, name)
    return show_tab(
        request, customer, "customer_activity", {"timeline": timeline_of_customer(request.vendor, customer.pk)}
    )
