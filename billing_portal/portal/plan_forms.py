"""Typing a price plan: a new one, a copy, the next version, or what a version's subscribers have at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render

from billing_portal.accounts.roles import Permission
from billing_portal.portal import plan_as_typed, plan_draft
from billing_portal.portal.access import OperatorRequest, form_screen, may, open_verb
from billing_portal.portal.bounded import Count, count_up_to
from billing_portal.portal.navigation import show
from billing_portal.portal.plan_differences import differences
from billing_portal.portal.plan_draft import PlanBoxes
from billing_portal.portal.plan_problems import Problems, add_on_rows, component_rows
from billing_portal.portal.price_plans import NEWEST, running
from billing_portal.portal.price_preview import Preview, preview
from customers.errors import Invalid
from invoicing.catalog import in_place, verbs
from invoicing.catalog.models import Meter, Period, PricePlan, SchemeType, TimeUnit, TrialUnit

METERS_SHOWN = 500
NEW = {
    "title": "New price plan",
    "introduction": "Prices are fixed once the plan exists: a change of prices is a new version, and customers keep "
    "theirs.",
    "button": "Create price plan",
}
SCHEMES = (
    (SchemeType.FLAT.value, "Flat: one price a unit"),
    (SchemeType.TIERED.value, "Tiered: each unit at the price of its tier"),
    (SchemeType.VOLUME.value, "Volume: all units at the price of the tier they reach"),
    (SchemeType.STAIRSTEP.value, "Stairstep: one amount for the tier they reach"),
)


@form_screen(Permission.CHANGE_CATALOG)
def new_plan(request: OperatorRequest) -> HttpResponse:
    """Buttons that only change the form (another component, another tier) send ``do``; without it, it is saved.
    ``?copy=growth`` begins with what that plan has."""
    if request.method != "POST":
        return _show_form(request, _first_boxes(request))
    boxes = plan_draft.read(request.POST)
    if "do" in request.POST:
        return _show_form(request, plan_draft.changed(boxes, request.POST["do"]))
    try:
        plan = verbs.create_price_plan(request.vendor, plan_draft.plan_values(boxes), now=request.now)
    except Invalid as refusal:
        return _show_form(request, boxes, problems=Problems(refusal))
    messages.success(request, f"The price plan {plan.label} is created. Customers can be subscribed to it.")
    return redirect("portal:price_plan", name=plan.name)


def _first_boxes(request: OperatorRequest) -> PlanBoxes:
    if name := request.GET.get("copy"):
        copied = plan_as_typed.boxes_of(_newest(request, name))
        names = {"name": "", "display_name": f"Copy of {copied.texts['display_name'] or name}"}
        return PlanBoxes({**copied.texts, **names}, copied.components, copied.add_ons)
    return plan_draft.empty(request.vendor.currency)


def _newest(request: OperatorRequest, name: str) -> PricePlan:
    plans = PricePlan.objects.of(request.vendor).filter(name=name).select_related("vendor").order_by("-version")
    plan = plans.first()
    if plan is None:
        raise Http404("There is no such price plan.")
    return plan


@form_screen(Permission.CHANGE_CATALOG)
def new_version(request: OperatorRequest, name: str) -> HttpResponse:
    before = _newest(request, name)
    if request.method != "POST":
        return _show_form(request, plan_as_typed.boxes_of(before), before)
    boxes = plan_draft.read(request.POST)
    if "do" in request.POST:
        return _show_form(request, plan_draft.changed(boxes, request.POST["do"]), before)
    try:
        values = plan_draft.plan_values(boxes)
        if before.minimum_charge is not None:
            values.setdefault("minimum_charge", 0)  # emptied
        plan = verbs.update_price_plan(request.vendor, name, values, now=request.now)
    except Invalid as refusal:
        return _show_form(request, boxes, before, Problems(refusal))
    messages.success(request, f"Version {plan.version} of {plan.label} is made. {_who_stays(request, name)}")
    return redirect("portal:price_plan", name=name)


def _who_stays(request: OperatorRequest, name: str) -> str:
    count = _subscribed(request, price_plan__name=name)
    if not count.value:
        return "Nobody was subscribed to the plan; who is from now on has this version."
    return f"{_customers(count)} on older versions {'keeps its own' if count.value == 1 else 'keep theirs'}."


@open_verb
def preview_new(request: OperatorRequest, name: str = "") -> HttpResponse:
    boxes, before = plan_draft.read(request.POST), _newest(request, name) if name else None
    context = {**_previewed(boxes, _meters(request)), "differences": _differences(boxes, before), "before": before}
    return render(request, "portal/catalog/_preview.html", context)


def _differences(boxes: PlanBoxes, before: PricePlan | None) -> list[str]:
    return differences(plan_as_typed.boxes_of(before), boxes) if before else []


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


def _show_form(
    request: OperatorRequest, boxes: PlanBoxes, before: PricePlan | None = None, problems: Problems | None = None
) -> HttpResponse:
    texts = NEW if before is None else _texts_of_version(request, before)
    context = {
        **_boxes(request, boxes, problems or Problems()),
        **_previewed(boxes, _meters(request)),
        "differences": _differences(boxes, before),
        "before": before,
        **texts,
    }
    return show(request, "portal/catalog/new_plan.html", context, title=texts["title"], area="price_plans")


def _texts_of_version(request: OperatorRequest, before: PricePlan) -> dict[str, str]:
    count = _subscribed(request, price_plan__name=before.name)
    stay = f"{_customers(count)} on the plan {'stays' if count.value == 1 else 'stay'} as they are"
    stay = stay if count.value else ""
    new = "Whoever is subscribed from now on has this version"
    return {
        "title": f"Version {before.version + 1} of {before.label}",
        "introduction": f"{new}; {stay}, until they are changed over." if stay else f"{new}.",
        "button": f"Make version {before.version + 1}",
    }


def _boxes(request: OperatorRequest, boxes: PlanBoxes, problems: Problems) -> dict[str, Any]:
    return {
        "boxes": boxes,
        "problems": problems,
        "rows": component_rows(boxes, problems),
        "add_on_rows": add_on_rows(boxes, problems),
        "meters": _meters(request).values(),
        "periods": Period.choices,
        "time_units": TimeUnit.choices,
        "trial_units": TrialUnit.choices,
        "schemes": SCHEMES,
        "editable": may(request, Permission.CHANGE_CATALOG),
    }


# What all subscribers of a version have at once

IN_PLACE = ("display_name", "description", "base_price_description")


@form_screen(Permission.CHANGE_CATALOG)
def change_in_place(request: OperatorRequest, name: str, version: int) -> HttpResponse:
    """Texts and features are as they stand there; components and add-ons are more, beside those there are."""
    plans = PricePlan.objects.of(request.vendor).select_related("vendor").filter(name=name, version=version)
    plan = plans.first()
    if plan is None:
        raise Http404("There is no such version of this price plan.")
    if request.method != "POST":
        first = plan_as_typed.boxes_of(plan)
        return _show_in_place(request, plan, PlanBoxes(first.texts))
    boxes = plan_draft.read({**request.POST.dict(), "currency": plan.currency})
    if "do" in request.POST:
        return _show_in_place(request, plan, plan_draft.changed(boxes, request.POST["do"]))
    try:
        _carry_out(plan, plan_draft.plan_values(boxes))
    except Invalid as refusal:
        return _show_in_place(request, plan, boxes, Problems(refusal))
    messages.success(request, f"{plan} is changed, for {_count_on(request, plan)} at once.")
    return redirect("portal:price_plan", name=name)


def _carry_out(plan: PricePlan, values: Mapping[str, Any]) -> None:
    wanted = {name: values[name] for name in (*IN_PLACE, "features", "limits", "metered_components", "add_ons")}
    kept = {feature["name"] for feature in values["features"]} | {one["feature"]["name"] for one in values["limits"]}
    gone = [feature["name"] for feature in plan.features if feature["name"] not in kept]
    with transaction.atomic():
        if gone:
            plan = in_place.remove_features(plan, gone)
        in_place.update_in_place(plan, wanted)


def _count_on(request: OperatorRequest, plan: PricePlan) -> str:
    return _customers(_subscribed(request, price_plan=plan))


def _subscribed(request: OperatorRequest, **plan: object) -> Count:
    """On one version of a plan, or on any of a name."""
    return count_up_to(request.vendor, running(request.vendor, request.now).filter(**plan).order_by(*NEWEST))


def _customers(count: Count) -> str:
    return f"{count} customer{'' if count.value == 1 else 's'}"


def _show_in_place(
    request: OperatorRequest, plan: PricePlan, boxes: PlanBoxes, problems: Problems | None = None
) -> HttpResponse:
    context = {
        **_boxes(request, boxes, problems or Problems()),
        "plan": plan,
        "count": _count_on(request, plan),
        "in_place": True,  # nothing is previewed, so nothing can be tried
    }
    title = f"Change version {plan.version} for all"
    return show(request, "portal/catalog/in_place.html", context, title=title, area="price_plans")
