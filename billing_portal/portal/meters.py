"""Meters: the list, a new one, and a meter's page."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect

from billing_portal.accounts.roles import Permission
from billing_portal.portal.access import OperatorRequest, form_screen, may, screen, verb
from billing_portal.portal.forms import CODE, TEXT, WordsField, in_words, refuse
from billing_portal.portal.keyset import newest_first
from billing_portal.portal.measurements import MeasurementForm, Tried, attempt, newest_of, send
from billing_portal.portal.navigation import show
from customers.errors import Refused
from customers.vendor import Vendor
from invoicing.catalog import verbs
from invoicing.catalog.models import Meter, PricePlan
from invoicing.subscriptions.models import Subscription

# "data type:aggregation", as far as usage can be aggregated.
KINDS = (
    (
        "Counter: each measurement is an amount used",
        [
            ("DISCRETE:SUM", "Add the values up"),
            ("DISCRETE:COUNT", "Count the measurements"),
            ("DISCRETE:MAX", "Take the largest value"),
            ("DISCRETE:MIN", "Take the smallest value"),
            ("DISCRETE:AVG", "Take the average value"),
            ("DISCRETE:LATEST", "Take the latest value"),
        ],
    ),
    (
        "Gauge: each measurement is a level",
        [
            ("CONTINUOUS:TIME_WEIGHTED_SUM", "Weight the level by how long it held (GB-hours)"),
            ("CONTINUOUS:AVG", "Take the average level, by how long it held"),
            ("CONTINUOUS:MAX", "Take the highest level"),
            ("CONTINUOUS:MIN", "Take the lowest level"),
            ("CONTINUOUS:LATEST", "Take the latest level"),
        ],
    ),
)


class MeterTexts(forms.Form):
    """What may be changed later."""

    display_name = forms.CharField(
        required=False,
        max_length=256,
        widget=forms.TextInput(TEXT),
        help_text="As people read it, on screens and invoices. Without one, the code name is shown.",
    )
    description = forms.CharField(required=False, max_length=2000, widget=forms.Textarea({"rows": 2}))


class FilterField(forms.JSONField):
    """Empty where there is none, instead of the word null."""

    def prepare_value(self, value: Any) -> Any:
        return "" if value is None else super().prepare_value(value)


class NewMeter(MeterTexts):
    name = forms.CharField(
        label="Code name",
        max_length=128,
        widget=forms.TextInput(CODE | {"placeholder": "api_requests"}),
        help_text="Unique. Measurements and price plans refer to it.",
    )
    kind = forms.ChoiceField(
        label="Quantity of a billing cycle", choices=KINDS, help_text="How measurements become the billed quantity."
    )
    unit_name = forms.CharField(
        label="Unit",
        required=False,
        max_length=64,
        widget=forms.TextInput(TEXT | {"placeholder": "requests"}),
        help_text="Printed beside quantities.",
    )
    event_name = forms.CharField(
        required=False,
        max_length=128,
        widget=forms.TextInput(CODE),
        help_text="Measurements sent under this event name count here. Without one, the code name is used.",
    )
    primary_labels = WordsField(
        required=False,
        widget=forms.TextInput(CODE | {"placeholder": "region, cluster"}),
        help_text="Labels that every measurement must carry, with commas between them.",
    )
    expected_labels = WordsField(
        required=False,
        widget=forms.TextInput(CODE),
        help_text="Labels that measurements usually carry, with commas between them.",
    )
    event_label_filter = FilterField(
        label="Label filter",
        required=False,
        widget=forms.Textarea(CODE | {"rows": 3}),
        help_text="Only events whose labels match count. JSON, for example "
        '{"filter": {"key": "tier", "operation": "EQUALS", "value": "paid"}}',
    )
    field_order = ("name", "display_name", "description", "kind", "unit_name")

    def values(self) -> dict[str, Any]:
        values = dict(self.cleaned_data)
        values["data_type"], values["aggregation"] = values.pop("kind").split(":")
        return values


def chosen_rows(vendor: Vendor, asked: QueryDict) -> QuerySet[Meter]:
    """What the list shows on its pages."""
    text = asked.get("q", "").strip()
    rows = Meter.objects.of(vendor).filter(archived_at__isnull=asked.get("state") != "archived")
    named = Q(name__istartswith=text) | Q(event_name__istartswith=text) | Q(display_name__icontains=text)
    return rows.filter(named) if text else rows


def _with_use(meters: QuerySet[Meter]) -> QuerySet[Meter]:
    """Each with the number of plans that are not archived and name it in some version."""
    used = Count(
        "metered_components__price_plan__name",
        distinct=True,
        filter=Q(metered_components__price_plan__archived_at__isnull=True),
    )
    return meters.annotate(plan_count=used)


STATES = (("", "In use"), ("archived", "Archived"))


@screen
def meter_list(request: OperatorRequest) -> HttpResponse:
    text, is_archived = request.GET.get("q", "").strip(), request.GET.get("state") == "archived"
    meters = _with_use(chosen_rows(request.vendor, request.GET))
    page = newest_first(meters, "created_at", before=request.GET.get("before", ""), after=request.GET.get("after", ""))
    context = {"page": page, "search": text, "state": "archived" if is_archived else "", "states": STATES}
    return show(request, "portal/catalog/meters.html", context, title="Meters", area="meters")


@form_screen(Permission.CHANGE_CATALOG)
def new_meter(request: OperatorRequest) -> HttpResponse:
    form = NewMeter(request.POST or None, initial={"name": request.GET.get("name", "")})
    if request.method == "POST" and form.is_valid():
        try:
            meter = verbs.create_meter(request.vendor, form.values(), now=request.now, real_now=request.real_now)
        except Refused as refusal:
            refuse(form, refusal)
        else:
            messages.success(request, f"The meter {meter} is created. It takes measurements from now on.")
            return redirect("portal:meter", name=meter.name)
    context = {"form": form, "editable": may(request, Permission.CHANGE_CATALOG)}
    return show(request, "portal/catalog/new_meter.html", context, title="New meter", area="meters")


@form_screen(Permission.CHANGE_CATALOG)
def meter_page(request: OperatorRequest, name: str) -> HttpResponse:
    meter = get_object_or_404(_with_use(Meter.objects.of(request.vendor)), name=name)
    before = {"display_name": meter.display_name, "description": meter.description}
    form = MeterTexts(request.POST or None, initial=before)
    if request.method == "POST" and form.is_valid():
        saved = verbs.update_meter(request.vendor, name, form.cleaned_data)
        messages.success(request, f"The meter {saved} is saved.")
        return redirect("portal:meter", name=name)
    return _show_meter(request, meter, form)


def _show_meter(
    request: OperatorRequest, meter: Meter, form: MeterTexts, trial: MeasurementForm | None = None, **more: Any
) -> HttpResponse:
    context = {
        "meter": meter,
        "form": form,
        "plans": list(_plans_using(request.vendor, meter, request.now)),
        "measurements": newest_of(request.vendor, meter),
        "trial": trial or MeasurementForm(prefix="trial"),
        "editable": may(request, Permission.CHANGE_CATALOG),
        **more,
    }
    return show(request, "portal/catalog/meter.html", context, title=meter.label, area="meters")


@verb(Permission.CHANGE_CATALOG)
def measure(request: OperatorRequest, name: str) -> HttpResponse:
    """A measurement by hand: tried, which keeps nothing, or sent."""
    meter = get_object_or_404(_with_use(Meter.objects.of(request.vendor)), name=name)
    trial, sends = MeasurementForm(request.POST, prefix="trial"), request.POST.get("do") == "send"
    tried: Tried | None = None
    if trial.is_valid():
        try:
            item = trial.measurement(meter)
            if sends:
                tried = send(request.vendor, meter, item, now=request.now, real_now=request.real_now)
            else:
                tried = attempt(request.vendor, meter, item, now=request.now)
        except Refused as refusal:
            refuse(trial, refusal)
    texts = MeterTexts(initial={"display_name": meter.display_name, "description": meter.description})
    if tried and sends:
        messages.success(request, f"The measurement on {meter} {_whose(tried)}")
        return redirect("portal:meter", name=name)
    return _show_meter(request, meter, texts, trial, tried=tried, wrong=bool(trial.errors))


def _whose(tried: Tried) -> str:
    if tried.customer:
        return f"is counted for {tried.customer}."
    return f"is kept as unattributed: {tried.reason[:1].lower()}{tried.reason[1:]}."


@verb(Permission.CHANGE_CATALOG)
def unarchive(request: OperatorRequest, name: str) -> HttpResponse:
    meter = get_object_or_404(Meter.objects.of(request.vendor), name=name)
    try:
        verbs.unarchive_meter(request.vendor, name, real_now=request.real_now)
    except Refused as refusal:
        messages.error(request, in_words(refusal))
    else:
        messages.success(request, f"The meter {meter} takes measurements again.")
    return redirect("portal:meter", name=name)


def _plans_using(vendor: Vendor, meter: Meter, now: datetime) -> QuerySet[PricePlan]:
    """The newest version of each plan that names the meter, with how many customers are on any that does."""
    lasting = Q(expired_at__isnull=True) | Q(expired_at__gt=now)
    on_it = Subscription.objects.of(vendor).filter(
        lasting, effective_at__lte=now, price_plan__name=OuterRef("name"), price_plan__metered_components__meter=meter
    )
    counted = on_it.order_by().values("price_plan__name").annotate(count=Count("pk", distinct=True)).values("count")
    plans = PricePlan.objects.of(vendor).filter(metered_components__meter=meter, archived_at__isnull=True)
    newest = plans.order_by("name", "-version").distinct("name")
    return newest.annotate(customer_count=Coalesce(Subquery(counted), 0))


@verb(Permission.CHANGE_CATALOG)
def archive(request: OperatorRequest, name: str) -> HttpResponse:
    meter = get_object_or_404(Meter.objects.of(request.vendor), name=name)
    try:
        verbs.archive_meter(request.vendor, name, now=request.now)
    except Refused as refusal:
        messages.error(request, refusal.message)
    else:
        messages.success(request, f"The meter {meter} is archived. It takes no more measurements.")
    return redirect("portal:meter", name=name)
