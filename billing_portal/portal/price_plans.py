"""Price plans: the list, and a plan's page with its versions and who is on which. Typing them: ``plan_forms.py``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.contrib import messages
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import Http404, HttpResponse
from django.shortcuts import redirect

from billing_portal.accounts.roles import Permission
from billing_portal.portal.access import OperatorRequest, may, screen, verb
from billing_portal.portal.customer_subscription import add_on_price
from billing_portal.portal.keyset import newest_first
from billing_portal.portal.navigation import show
from billing_portal.portal.price_preview import price_is
from customers.errors import Refused
from customers.vendor import Vendor
from invoicing.catalog import verbs
from invoicing.catalog.models import MeteredComponent, PricePlan
from invoicing.subscriptions.models import Subscription


def running(vendor: Vendor, now: datetime) -> QuerySet[Subscription]:
    """Subscriptions that have begun and not ended."""
    lasting = Q(expired_at__isnull=True) | Q(expired_at__gt=now)
    return Subscription.objects.of(vendor).filter(lasting, effective_at__lte=now)


STATES = (("", "In use"), ("archived", "Archived"))


def archived_plans(vendor: Vendor) -> QuerySet[PricePlan]:
    """The newest version of each."""
    plans = PricePlan.objects.of(vendor).filter(archived_at__isnull=False)
    return plans.filter(pk__in=plans.order_by("name", "-version").distinct("name").values("pk"))


@screen
def plan_list(request: OperatorRequest) -> HttpResponse:
    mine = running(request.vendor, request.now).filter(price_plan__name=OuterRef("name"))
    counted = mine.order_by().values("price_plan__name").annotate(count=Count("pk")).values("count")
    text, is_archived = request.GET.get("q", "").strip(), request.GET.get("state") == "archived"
    shown = archived_plans(request.vendor) if is_archived else verbs.latest_plans(request.vendor)
    if text:
        named = Q(name__istartswith=text) | Q(display_name__icontains=text)
        shown = shown.filter(named | Q(tags__contains=[text.removeprefix("#")]))
    plans = shown.annotate(customer_count=Coalesce(Subquery(counted), 0), component_count=Count("metered_components"))
    page = newest_first(plans, "created_at", before=request.GET.get("before", ""), after=request.GET.get("after", ""))
    context = {"page": page, "search": text, "state": "archived" if is_archived else "", "states": STATES}
    return show(request, "portal/catalog/plans.html", context, title="Price plans", area="price_plans")


@screen
def plan_page(request: OperatorRequest, name: str) -> HttpResponse:
    versions = _versions(request.vendor, name, request.now)
    chosen = _chosen(versions, request.GET.get("version", ""))
    on_it = running(request.vendor, request.now).filter(price_plan__name=name)
    page = newest_first(
        on_it.select_related("customer", "price_plan"),
        "effective_at",
        before=request.GET.get("before", ""),
        after=request.GET.get("after", ""),
    )
    context = {
        "plan": chosen,
        "versions": versions,
        "is_newest": chosen == versions[0],
        "components": _priced(chosen),
        "add_ons": [(one, add_on_price(one, None, chosen.currency)) for one in chosen.add_ons.all()],
        "page": page,
        "editable": may(request, Permission.CHANGE_CATALOG),
    }
    return show(request, "portal/catalog/plan.html", context, title=versions[0].label, area="price_plans")


def _versions(vendor: Vendor, name: str, now: datetime) -> list[PricePlan]:
    """Newest first, each with the number of customers on it."""
    on_it = Q(subscriptions__effective_at__lte=now) & (
        Q(subscriptions__expired_at__isnull=True) | Q(subscriptions__expired_at__gt=now)
    )
    plans = PricePlan.objects.of(vendor).filter(name=name).annotate(customer_count=Count("subscriptions", filter=on_it))
    found: list[PricePlan] = list(plans.order_by("-version"))
    if not found:
        raise Http404("There is no such price plan.")
    return found


def _chosen(versions: Sequence[PricePlan], text: str) -> PricePlan:
    if not text:
        return versions[0]
    found = next((plan for plan in versions if str(plan.version) == text), None)
    if found is None:
        raise Http404("There is no such version of this price plan.")
    return found


def _priced(plan: PricePlan) -> list[tuple[MeteredComponent, str]]:
    components = plan.metered_components.select_related("meter", "price_scheme")
    return [
        (component, price_is(component.price_scheme.scheme_type, component.price_scheme.batch_size, _unit(component)))
        for component in components.prefetch_related("price_scheme__tiers")
    ]


def _unit(component: MeteredComponent) -> str:
    return component.price_scheme.unit_name or component.meter.unit_name


@verb(Permission.CHANGE_CATALOG)
def archive(request: OperatorRequest, name: str) -> HttpResponse:
    plan = _versions(request.vendor, name, request.now)[0]
    try:
        verbs.archive_price_plan(request.vendor, name, now=request.now)
    except Refused as refusal:
        messages.error(request, refusal.message)
        return redirect("portal:price_plan", name=name)
    messages.success(request, f"The price plan {plan.label} is archived. Nobody can be subscribed to it any more.")
    return redirect("portal:price_plans")
