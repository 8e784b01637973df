"""Filters of a list kept under a name: one's own, and those that others share with everybody in the vendor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.contrib import messages
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse

from billing_portal.accounts.models import Role
from billing_portal.lists.models import SavedView
from billing_portal.portal import customer_filters, invoice_selection
from billing_portal.portal.access import OperatorRequest, open_verb

MOST = 50
# The lists that have views, and which words of their address a view keeps.
KEPT: Mapping[str, tuple[str, ...]] = {"invoices": invoice_selection.NAMES, "customers": customer_filters.NAMES}


@dataclass(frozen=True)
class Shown:
    view: SavedView
    link: str
    is_current: bool
    is_mine: bool


def views_of(request: OperatorRequest, list_name: str, query: str) -> list[Shown]:
    """With one query."""
    mine = Q(operator=request.user) | Q(is_shared=True)
    rows = SavedView.objects.of(request.vendor).filter(mine, list_name=list_name).order_by("name", "pk")[:MOST]
    address = reverse(f"portal:{list_name}")
    return [
        Shown(view, f"{address}?{view.query}", view.query == query, view.operator_id == request.user.pk)
        for view in rows
    ]


@open_verb
def save_view(request: OperatorRequest, list_name: str) -> HttpResponse:
    """Everybody may keep views of their own; sharing one is not for those who only look."""
    if list_name not in KEPT:
        raise Http404("This list has no views.")
    given = QueryDict(request.POST.get("query", "")[:1000])
    kept = QueryDict(mutable=True)
    for name in KEPT[list_name]:
        if value := given.get(name, "").strip():
            kept[name] = value
    back = redirect(f"{reverse(f'portal:{list_name}')}?{kept.urlencode()}")
    name = request.POST.get("name", "").strip()[:64]
    if not name:
        messages.error(request, "Give the view a name.")
        return back
    shared = request.POST.get("is_shared") == "on" and request.role != Role.READ_ONLY
    _keep(request, list_name, name, kept.urlencode(), shared)
    return back


def _keep(request: OperatorRequest, list_name: str, name: str, query: str, is_shared: bool) -> None:
    made = SavedView(
        vendor=request.vendor, operator=request.user, list_name=list_name, name=name, query=query,
        is_shared=is_shared, created_at=request.real_now,
    )  # fmt: skip
    try:
        with transaction.atomic():
            made.save()
    except IntegrityError:
        messages.error(request, f"You have a view “{name}” already: choose another name, or delete that one.")
    else:
        messages.success(request, f"The view “{name}” is kept{', for everybody' if is_shared else ''}.")


@open_verb
def delete_view(request: OperatorRequest, pk: int) -> HttpResponse:
    """One's own; owners also what others share."""
    mine = Q(operator=request.user) | (Q(is_shared=True) if request.role == Role.OWNER else Q(pk__in=[]))
    view = get_object_or_404(SavedView.objects.of(request.vendor).filter(mine), pk=pk)
    view.delete()
    messages.success(request, f"The view “{view.name}” is deleted.")
    return redirect(f"portal:{view.list_name}")
