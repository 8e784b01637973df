"""System -> Reconciliation: where Stripe and we disagree, in words and in money, and how to make it right."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from django.contrib import messages
from django.db.models import Model, QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect

from billing_portal.accounts.roles import Permission
from billing_portal.portal.access import OperatorRequest, may, screen, verb
from billing_portal.portal.keyset import Page, newest_first
from billing_portal.portal.navigation import show
from customers.vendor import Vendor
from payments.reconcile import repair, report, run
from payments.reconcile.models import Difference, ReconciliationRun
from payments.stripe.connect import connections
from payments.tasks import continue_run, repair_differences

M = TypeVar("M", bound=Model)

STANDING = {"repaired_at__isnull": True, "gone_at__isnull": True}
TABS = (("", "Differences"), ("settled", "Settled"), ("comparisons", "Comparisons"))
TONES = {"running": "info", "finished": "success", "failed": "danger"}


@screen
def overview(request: OperatorRequest) -> HttpResponse:
    tab = request.GET.get("show", "")
    tab = tab if tab in dict(TABS) else ""
    context = {
        "tabs": TABS,
        "tab": tab,
        "connected": connections(request.vendor).exists(),
        "running": _with_words(
            ReconciliationRun.objects.of(request.vendor).filter(state="running").select_related("connection")[:5]
        ),
        "editable": may(request, Permission.RECONCILE),
        **(_comparisons(request) if tab == "comparisons" else _differences(request, settled=tab == "settled")),
    }
    return show(request, "portal/system/reconciliation.html", context, title="Reconciliation", area="reconciliation")


def _comparisons(request: OperatorRequest) -> dict[str, object]:
    rows = ReconciliationRun.objects.of(request.vendor).select_related("connection")
    page = _paged(request, rows, "started_at")
    return {"page": page, "runs": _with_words(page.rows)}


def _with_words(rows: Iterable[ReconciliationRun]) -> list[tuple[ReconciliationRun, str, str]]:
    return [(row, TONES[row.state], report.progress(row)) for row in rows]


def _differences(request: OperatorRequest, *, settled: bool) -> dict[str, object]:
    page = _paged(request, differences_of(request.vendor, settled=settled), "found_at")
    return {"page": page, "differences": page.rows, "can_repair": any(row.look for row in page.rows)}


def differences_of(vendor: Vendor, *, settled: bool) -> QuerySet[Difference]:
    rows = Difference.objects.of(vendor).select_related("invoice", "customer")
    return rows.exclude(**STANDING) if settled else rows.filter(**STANDING)


def _paged(request: OperatorRequest, rows: QuerySet[M], by: str) -> Page[M]:
    return newest_first(rows, by, before=request.GET.get("before", ""), after=request.GET.get("after", ""))


@screen
def run_page(request: OperatorRequest, pk: int) -> HttpResponse:
    row = get_object_or_404(ReconciliationRun.objects.of(request.vendor).select_related("connection"), pk=pk)
    found = Difference.objects.of(request.vendor).filter(run=row).select_related("invoice", "customer")
    page = _paged(request, found, "found_at")
    context = {
        "run": row,
        "tone": TONES[row.state],
        "progress": report.progress(row),
        "lines": report.lines(row),
        "page": page,
        "differences": page.rows,
        "editable": may(request, Permission.RECONCILE),
    }
    return show(request, "portal/system/reconciliation_run.html", context, title=str(row), area="reconciliation")


@verb(Permission.RECONCILE)
def compare(request: OperatorRequest) -> HttpResponse:
    """Begin with every connected account; a comparison that is under way goes on."""
    begun = [run.start(c, by=request.actor.label, real_now=request.real_now) for c in connections(request.vendor)]
    for one in begun:
        continue_run.delay(one.pk)
    if begun:
        messages.success(request, "The comparison is under way. Reload this page to see how far it is.")
    else:
        messages.error(request, "No Stripe account is connected.")
    return redirect("portal:reconciliation")


@verb(Permission.RECONCILE)
def repair_all(request: OperatorRequest) -> HttpResponse:
    number = run.try_again(request.vendor.pk)
    if number:
        repair_differences.delay(request.vendor.pk)
    messages.success(request, f"{number} difference{'' if number == 1 else 's'} will be repaired, one after the other.")
    return redirect("portal:reconciliation")


@verb(Permission.RECONCILE)
def repair_one(request: OperatorRequest, pk: int) -> HttpResponse:
    rows = Difference.objects.of(request.vendor).filter(**STANDING).exclude(look={})
    difference = get_object_or_404(rows.select_related("connection__vendor", "vendor"), pk=pk)
    if repair.repair(difference, real_now=request.real_now):
        messages.success(request, f"{difference} is repaired: Stripe's present state was applied.")
    else:
        difference.refresh_from_db()
        messages.error(request, f"Not repaired: {difference.last_error}")
    return redirect("portal:reconciliation")
