"""Price plans: the list, a plan's page with its versions and who is on which, and a new plan."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.db.models import Count, OuterRef, Q, QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render

from billing_portal.accounts.roles import Permission
from billing_portal.portal import plan_draft
from billing_portal.portal.access import OperatorRequest, form_screen, may, open_verb, screen, verb
from billing_portal.portal.bounded import counted
from billing_portal.portal.keyset import newest_first
from billing_portal.portal.navigation import show
from billing_portal.portal.plan_draft import ComponentBoxes, PlanBoxes, TierBoxes
from billing_portal.portal.price_preview import Preview, preview, price_is
from customers.errors import Invalid, Refused
from customers.vendor import Vendor
from invoicing.catalog import verbs
from invoicing.catalog.models import Meter, MeteredComponent, Period, PricePlan, SchemeType, TimeUnit
from invoicing.subscriptions.models import Subscription

METERS_SHOWN = 500
# The order that an index has them in.
NEWEST = ("-effective_at", "-pk")


def running(vendor: Vendor, now: datetime) -> QuerySet[Subscription]:
    """Subscriptions that have begun and not ended."""
    lasting = Q(expired_at__isnull=True) | Q(expired_at__gt=now)
    return Subscription.objects.of(vendor).filter(lasting, effective_at__lte=now)


@screen
def plan_list(request: OperatorRequest) -> HttpResponse:
    mine = running(request.vendor, request.now).filter(price_plan__name=OuterRef("name")).order_by(*NEWEST)
    plans = verbs.latest_plans(request.vendor).annotate(
        customer_count=counted(mine), component_count=Count("metered_components")
    )
    page = newest_first(plans, "created_at", before=request.GET.get("before", ""), after=request.GET.get("after", ""))
    return show(request, "portal/catalog/plans.html", {"page": page}, title="Price plans", area="price_plans")


@screen
def plan_page(request: OperatorRequest, name: str) -> HttpResponse:
    versions = _versions(request.vendor, name, request.now)
    chosen = _chosen(versions, request.GET.get("version", ""))
    on_it = running(request.vendor, request.now).filter(price_plan__in=[plan.pk for plan in versions])
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
        "page": page,
        "editable": may(request, Permission.CHANGE_CATALOG),
    }
    return show(request, "portal/catalog/plan.html", context, title=versions[0].label, area="price_plans")


def _versions(vendor: Vendor, name: str, now: datetime) -> list[PricePlan]:
    """Newest first, each with the number of customers on it."""
    on_it = running(vendor, now).filter(price_plan=OuterRef("pk")).order_by(*NEWEST)
    plans = PricePlan.objects.of(vendor).filter(name=name).annotate(customer_count=counted(on_it))
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


@form_screen(Permission.CHANGE_CATALOG)
def new_plan(request: OperatorRequest) -> HttpResponse:
    """Buttons that only change the form (another component, another tier) send ``do``; without it, it is saved."""
    if request.method != "POST":
        return _show_form(request, plan_draft.empty(request.vendor.currency))
    boxes = plan_draft.read(request.POST)
    if "do" in request.POST:
        return _show_form(request, plan_draft.changed(boxes, request.POST["do"]))
    try:
        plan = verbs.create_price_plan(request.vendor, plan_draft.plan_values(boxes), now=request.now)
    except Invalid as refusal:
        return _show_form(request, boxes, Problems(refusal))
    messages.success(request, f"The price plan {plan.label} is created. Customers can be subscribed to it.")
    return redirect("portal:price_plan", name=plan.name)


@open_verb
def preview_new(request: OperatorRequest) -> HttpResponse:
    return render(request, "portal/catalog/_preview.html", _previewed(plan_draft.read(request.POST), _meters(request)))


PLACE = re.compile(r"^metered_components\.(\d+)\.(?:price_scheme\.)?(?:prices\.(\d+)\.)?")


@dataclass
class Problems:
    """A refusal, sorted to the boxes it is about."""

    refusal: Invalid | None = None
    texts: dict[str, str] = field(default_factory=dict)
    placed: dict[tuple[int, int | None], list[str]] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name, messages_ in (self.refusal.errors if self.refusal else {}).items():
            self._sort(name, " ".join(messages_))

    def _sort(self, name: str, text: str) -> None:
        if place := PLACE.match(name):
            tier = int(place[2]) if place[2] else None
            self.placed.setdefault((int(place[1]), tier), []).append(text)
        elif name in plan_draft.TEXTS:
            self.texts[name] = text
        else:
            self.others.append(text)

    def __bool__(self) -> bool:
        return self.refusal is not None


@dataclass(frozen=True)
class TierShown:
    place: int
    boxes: TierBoxes
    problems: Sequence[str]


@dataclass(frozen=True)
class ComponentRow:
    place: int
    boxes: ComponentBoxes
    tiers: Sequence[TierShown]
    problems: Sequence[str]


def _rows(boxes: PlanBoxes, problems: Problems) -> list[ComponentRow]:
    def tiers(place: int, component: ComponentBoxes) -> list[TierShown]:
        return [TierShown(n, tier, problems.placed.get((place, n), [])) for n, tier in enumerate(component.tiers)]

    return [
        ComponentRow(place, component, tiers(place, component), problems.placed.get((place, None), []))
        for place, component in enumerate(boxes.components)
    ]


def _meters(request: OperatorRequest) -> Mapping[str, Meter]:
    usable = Meter.objects.of(request.vendor).filter(archived_at__isnull=True).order_by("name")
    return {meter.name: meter for meter in usable[:METERS_SHOWN]}


def _previewed(boxes: PlanBoxes, meters: Mapping[str, Meter]) -> dict[str, Any]:
    shown: Preview | None = None
    missing: list[str] = []
    try:
        shown = preview(boxes, meters)
    except Invalid as refusal:
        missing = [text for problems in refusal.errors.values() for text in problems]
    return {"preview": shown, "missing": list(dict.fromkeys(missing))}


def _show_form(request: OperatorRequest, boxes: PlanBoxes, problems: Problems | None = None) -> HttpResponse:
    meters = _meters(request)
    known = problems or Problems()
    context = {
        "boxes": boxes,
        "problems": known,
        "rows": _rows(boxes, known),
        "meters": meters.values(),
        "periods": Period.choices,
        "time_units": TimeUnit.choices,
        "schemes": SCHEMES,
        "editable": may(request, Permission.CHANGE_CATALOG),
        **_previewed(boxes, meters),
    }
    return show(request, "portal/catalog/new_plan.html", context, title="New price plan", area="price_plans")


SCHEMES = (
    (SchemeType.FLAT.value, "Flat: one price a unit"),
    (SchemeType.TIERED.value, "Tiered: each unit at the price of its tier"),
    (SchemeType.VOLUME.value, "Volume: all units at the price of the tier they reach"),
    (SchemeType.STAIRSTEP.value, "Stairstep: one amount for the tier they reach"),
)
