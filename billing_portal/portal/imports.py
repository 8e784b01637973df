"""Files that are brought in: upload, what would become of each row, carrying it out, taking it back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from billing_portal.accounts.roles import Permission
from billing_portal.lists import customer_rows, price_rows
from billing_portal.lists.models import Import, ImportRow
from billing_portal.lists.reading import MOST_BYTES, MOST_ROWS, keep, read_sheet
from billing_portal.lists.running import figures, start
from billing_portal.lists.tasks import go_on_with_imports
from billing_portal.portal.access import OperatorRequest, may, open_verb, own_screen, screen
from billing_portal.portal.exports.table import Column, Export, lines, unshielded
from billing_portal.portal.forms import refuse
from billing_portal.portal.keyset import Order, by_number, paged
from billing_portal.portal.navigation import show
from customers.errors import Conflict, Invalid, Refused
from invoicing.catalog.list_changes import component_of
from invoicing.catalog.models import MeteredComponent
from invoicing.catalog.price_lists import PRICES
from invoicing.catalog.verbs import find_plan, latest_plans

State, Fate, Outcome = Import.State, ImportRow.Fate, ImportRow.Outcome

NEEDED = {Import.Kind.CUSTOMERS: Permission.CHANGE_CUSTOMER, Import.Kind.PRICE_LIST: Permission.CHANGE_CATALOG}
COMPONENTS_SHOWN = 500
BY_LINE = Order("line", falling=False, number=True)
WRONG = Q(fate=Fate.ERROR) | Q(outcome__in=[Outcome.FAILED, Outcome.KEPT])


@dataclass(frozen=True)
class Part:
    key: str
    label: str
    condition: Q


PARTS = (
    Part("", "All", Q()),
    Part("create", "Create", Q(fate=Fate.CREATE)),
    Part("update", "Update", Q(fate=Fate.UPDATE)),
    Part("unchanged", "Unchanged", Q(fate=Fate.UNCHANGED)),
    Part("error", "Error", Q(fate=Fate.ERROR)),
    Part("failed", "Refused", Q(outcome=Outcome.FAILED)),
    Part("kept", "Not undone", Q(outcome=Outcome.KEPT)),
)


class FileForm(forms.Form):
    file = forms.FileField(
        label="CSV file",
        widget=forms.ClearableFileInput({"accept": ".csv,text/csv"}),
        help_text=f"In UTF-8, at most {MOST_BYTES // 1024 // 1024} MB and {MOST_ROWS:,} rows. Nothing is changed "
        "before you have seen what each row would do.",
    )


class PriceListForm(FileForm):
    component = forms.ChoiceField(label="Price list of")
    field_order = ("component",)

    def __init__(self, choices: list[tuple[str, str]], *args: Any) -> None:
        super().__init__(*args)
        self.fields["component"].choices = choices  # type: ignore[attr-defined]


def _components(request: OperatorRequest) -> list[tuple[str, str]]:
    """Those of the newest versions whose meters have labels to go by."""
    newest = latest_plans(request.vendor).order_by()
    priced = MeteredComponent.objects.filter(price_plan__in=newest)
    rows = priced.exclude(meter__primary_labels=[]).select_related("price_plan", "meter")
    found = rows.order_by("price_plan__name", "position")[:COMPONENTS_SHOWN]
    return [(f"{row.price_plan.name}/{row.position}", f"{row.price_plan.label}: {row.label}") for row in found]


def _require(request: OperatorRequest, kind: Import.Kind) -> None:
    if not may(request, NEEDED[kind]):
        raise PermissionDenied(f"Your role, {request.role.label}, may not {NEEDED[kind].replace('_', ' ')}.")


@own_screen
def import_list(request: OperatorRequest) -> HttpResponse:
    """The uploads so far, and a form for each kind of file. Who may not use one is refused by ``_require``."""
    kind = request.POST.get("kind", "")
    post = (request.POST, request.FILES)
    people = FileForm(*(post if kind == Import.Kind.CUSTOMERS else ()))
    people.auto_id = "customers_%s"
    prices = PriceListForm(_components(request), *(post if kind == Import.Kind.PRICE_LIST else ()))
    form = {Import.Kind.CUSTOMERS.value: people, Import.Kind.PRICE_LIST.value: prices}.get(kind)
    if request.method == "POST" and form is not None:
        _require(request, Import.Kind(kind))
        if form.is_valid() and (made := _upload(request, Import.Kind(kind), form)):
            go_on_with_imports.delay()
            return redirect("portal:import", uuid=made.uuid)
    rows = Import.objects.of(request.vendor)
    context = {
        "page": by_number(rows, before=request.GET.get("before", ""), after=request.GET.get("after", "")),
        "people": people,
        "prices": prices,
        "columns": list(customer_rows.READERS),
    }
    return show(request, "portal/imports/list.html", context, title="Imports", area="customers")


def _upload(request: OperatorRequest, kind: Import.Kind, form: FileForm) -> Import | None:
    file = form.cleaned_data["file"]
    try:
        if file.size > MOST_BYTES:
            raise Invalid({"file": f"At most {MOST_BYTES // 1024 // 1024} MB at once. Split the file."})
        sheet = read_sheet(file.read(), ["name"] if kind == Import.Kind.CUSTOMERS else [PRICES])
        target = _target(request, kind, form, sheet.columns)
        by: dict[str, Any] = {"actor": request.actor, "real_now": request.real_now, "target": target}
        return keep(request.vendor, kind, sheet, file_name=file.name, **by)
    except Refused as refusal:
        refuse(form, refusal)
        return None


def _target(request: OperatorRequest, kind: Import.Kind, form: FileForm, columns: list[str]) -> dict[str, Any]:
    if kind == Import.Kind.CUSTOMERS:
        customer_rows.check_columns(columns)
        return {}
    name, _, position = form.cleaned_data["component"].rpartition("/")
    plan = find_plan(request.vendor, name)
    priced = component_of(plan, int(position))
    price_rows.check_columns(columns, priced)
    label = priced.display_name or priced.meter.label
    return {"price_plan": name, "position": int(position), "version": plan.version, "component": label}


def _get(request: OperatorRequest, uuid: str) -> Import:
    return get_object_or_404(Import.objects.of(request.vendor).select_related("vendor"), uuid=uuid)


@screen
def import_page(request: OperatorRequest, uuid: str) -> HttpResponse:
    made = _get(request, uuid)
    part = next((one for one in PARTS if one.key == request.GET.get("rows", "")), PARTS[0])
    page = paged(_rows(made).filter(part.condition), BY_LINE, request.GET.dict())
    context = {**_standing(made), "page": page, "part": part, "parts": PARTS, "may": may(request, NEEDED[_kind(made)])}
    return show(request, "portal/imports/page.html", context, title=made.file_name, area="customers")


def _kind(made: Import) -> Import.Kind:
    return Import.Kind(made.kind)


def _rows(made: Import) -> QuerySet[ImportRow]:
    return made.rows.all()


def _standing(made: Import) -> dict[str, Any]:
    found = figures(made)
    to_do = found.get("create", 0) + found.get("update", 0)
    left = {
        State.CHECKING: (found.get("unchecked", 0), made.total),
        State.APPLYING: (to_do - found.get("done", 0) - found.get("failed", 0), to_do),
        State.UNDOING: (found.get("done", 0), found.get("done", 0) + found.get("undone", 0) + found.get("kept", 0)),
    }.get(State(made.state), (0, made.total))
    wrong = sum(found.get(key, 0) for key in ("error", "failed", "kept"))
    counted = [(part.label, found.get(part.key, 0)) for part in PARTS if part.key]
    done = [("Done", found.get("done", 0)), ("Undone", found.get("undone", 0))]
    return {
        "made": made,
        "to_do": to_do,
        "wrong": wrong,
        "figures": [(label, count) for label, count in (*counted, *done) if count],
        "can_undo": made.state == State.APPLIED and found.get("done", 0) > 0,
        "progress": left[1] - left[0],
        "progress_of": left[1],
    }


@screen
def progress(request: OperatorRequest, uuid: str) -> HttpResponse:
    """A part of the page, which asks for itself again while the import is at work."""
    made = _get(request, uuid)
    response = render(request, "portal/imports/_progress.html", _standing(made))
    if not made.is_at_work:
        response.headers["HX-Refresh"] = "true"
    return response


@open_verb
def move(request: OperatorRequest, uuid: str, name: str) -> HttpResponse:
    """``apply`` or ``undo``."""
    steps = {"apply": (State.APPLYING, State.CHECKED), "undo": (State.UNDOING, State.APPLIED)}
    if name not in steps:
        raise Http404("An import can be applied or undone.")
    made = _get(request, uuid)
    _require(request, _kind(made))
    state, allowed = steps[name]
    try:
        start(made, state, allowed=allowed)
    except Conflict as refusal:
        messages.error(request, refusal.message)
    else:
        go_on_with_imports.delay()
    return redirect("portal:import", uuid=made.uuid)


@screen
def errors(request: OperatorRequest, uuid: str) -> HttpResponse:
    """What went wrong, as a file that can be mended and brought in again."""
    made = _get(request, uuid)
    response = StreamingHttpResponse(_wrong(request, made), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="errors-{made.created_at:%Y-%m-%d}.csv"'
    return response  # type: ignore[return-value]


def _wrong(request: OperatorRequest, made: Import) -> Iterator[bytes]:
    def given(name: str) -> Column[ImportRow]:
        return Column(name, lambda row: unshielded(row.given.get(name, "")))

    columns = (Column[ImportRow]("line", lambda row: row.line), Column[ImportRow]("reason", lambda row: row.reason))
    table = Export[ImportRow](
        "errors", "Errors", lambda _request, _asked: _rows(made), (*columns, *map(given, made.columns))
    )
    return lines(table, _rows(made).filter(WRONG).order_by("line"), request.vendor.zone)
