"""``/_control/``: for tests and demonstrations; no part of Stripe's API."""

import json
import re
from typing import Any

from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_GET, require_http_methods

from payments.sandbox.faults import KINDS
from payments.sandbox.models import Fault

FIELDS = {"method", "path_regex", "kind", "times", "account"}


@require_GET
def health(request: HttpRequest) -> JsonResponse:
    connection.ensure_connection()
    return JsonResponse({"status": "ok"})


@require_http_methods(["GET", "POST", "DELETE"])
def faults(request: HttpRequest) -> JsonResponse:
    """POST ``{path_regex, kind, times?, method?, account?}`` orders a fault, DELETE cancels all."""
    if request.method == "DELETE":
        Fault.objects.all().delete()
    elif request.method == "POST":
        try:
            order = _order(json.loads(request.body))
        except ValueError as error:
            return JsonResponse({"error": str(error)}, status=400)
        Fault.objects.create(**order)
    waiting = Fault.objects.filter(times__gt=0).order_by("pk")
    return JsonResponse({"faults": list(waiting.values(*FIELDS))})


def _order(given: Any) -> dict[str, Any]:
    if not isinstance(given, dict) or set(given) - FIELDS:
        raise ValueError(f"Give a JSON object with some of {', '.join(sorted(FIELDS))}, and nothing else.")
    if given.get("kind") not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}.")
    times = given.get("times", 1)
    if not isinstance(times, int) or times < 1:
        raise ValueError("times must be a whole number above 0.")
    try:
        re.compile(given.get("path_regex", ""))
    except re.error as error:
        raise ValueError(f"path_regex is not a regular expression: {error}.") from error
    return {"method": "", "path_regex": "", "account": "", **given, "times": times}
