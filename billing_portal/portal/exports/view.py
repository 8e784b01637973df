"""POST /export/<list>/ with the filters of the list, and its rows come down as a file. It is noted who took what."""

from __future__ import annotations

import re

from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from billing_portal.portal.access import OperatorRequest, open_verb
from billing_portal.portal.exports.lists import EXPORTS
from billing_portal.portal.exports.table import Export, lines
from customers.events.models import EventKind, SubjectKind
from customers.events.record import Fact, record


@open_verb
def export(request: OperatorRequest, name: str) -> HttpResponse:
    """Whoever may look at a list may take it along."""
    wanted = EXPORTS.get(name)
    if wanted is None:
        raise Http404("There is no such list.")
    rows = wanted.rows(request, request.POST)
    _note(request, wanted)
    response = StreamingHttpResponse(lines(wanted, rows, request.vendor.zone), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{file_name(request, wanted)}"'
    return _as_answer(response)


def _as_answer(response: HttpResponseBase) -> HttpResponse:
    """Views of the portal are typed as ``HttpResponse``; what surrounds them asks for headers only."""
    return response  # type: ignore[return-value]


def file_name(request: OperatorRequest, wanted: Export[object]) -> str:
    vendor = re.sub(r"[^A-Za-z0-9._-]+", "-", request.vendor.name)
    today = request.now.astimezone(request.vendor.zone).date()
    return f"{vendor}-{wanted.name}-{today.isoformat()}.csv"


def _note(request: OperatorRequest, wanted: Export[object]) -> None:
    filters = {name: value for name, value in request.POST.items() if value and name in wanted.filters}
    said = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in filters.items())
    details = {"list": wanted.name, "filters": filters, "note": f"{wanted.title}{f' ({said})' if said else ''}."}
    fact = Fact(EventKind.LIST_EXPORTED, SubjectKind.VENDOR, request.vendor.pk, details=details)
    record(request.vendor, fact, actor=request.actor, now=request.now, real_now=request.real_now)
