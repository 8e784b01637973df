"""``/_control/``: for tests and demonstrations; no part of Stripe's API. Its form is told in docs/sandbox.md.

Every address takes and gives JSON. GET lists what is in force, POST orders, DELETE calls off: everything, or with
``?account=`` what was ordered for that account.
"""

import json
from collections.abc import Callable
from typing import Any

from django.db import connection
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods

from payments.sandbox import deliveries, disputing, limits, orders, seed, store
from payments.sandbox import faults as misbehaviour
from payments.sandbox.models import Account, Fault, RateLimit, StoredObject, WebhookFault
from payments.sandbox.work import at_work

View = Callable[..., HttpResponse]


@require_GET
def health(request: HttpRequest) -> JsonResponse:
    connection.ensure_connection()
    return JsonResponse({"status": "ok"})


def _control(*methods: str) -> Callable[[View], View]:
    """Answers 400 with the reason where an order makes no sense."""

    def wrap(view: View) -> View:
        def answer(request: HttpRequest, **named: str) -> HttpResponse:
            try:
                return view(request, **named)
            except ValueError as error:
                return JsonResponse({"error": str(error)}, status=400)

        return require_http_methods(methods)(answer)

    return wrap


@_control("GET", "POST", "DELETE")
def faults(request: HttpRequest) -> HttpResponse:
    if request.method == "DELETE":
        _of(request, Fault.objects.all()).delete()
    elif request.method == "POST":
        misbehaviour.order(orders.read(_given(request), orders.FAULT), timezone.now())
    found = {"faults": misbehaviour.in_force(timezone.now()), "lapsed": misbehaviour.lapsed(timezone.now())}
    return JsonResponse({name: list(rows.values(*orders.FAULT)) for name, rows in found.items()})


@_control("GET", "POST", "DELETE")
def webhooks(request: HttpRequest) -> HttpResponse:
    if request.method == "DELETE":
        _of(request, WebhookFault.objects.all()).delete()
    elif request.method == "POST":
        WebhookFault.objects.create(**orders.read(_given(request), orders.WEBHOOK_FAULT))
    waiting = WebhookFault.objects.exclude(times=0).order_by("pk")
    return JsonResponse({"webhooks": list(waiting.values(*orders.WEBHOOK_FAULT))})


@_control("POST")
def retry_webhooks(request: HttpRequest) -> HttpResponse:
    """What failed or was ordered to be late is tried at once."""
    account = orders.read(_given(request), orders.ONE_ACCOUNT)["account"]
    return JsonResponse({"retried": deliveries.retry_now(timezone.now(), account)})


@_control("GET", "POST", "DELETE")
def rate_limits(request: HttpRequest) -> HttpResponse:
    if request.method == "DELETE":
        limits.lift(_of(request, RateLimit.objects.all()))
    elif request.method == "POST":
        limits.set_limit(**orders.read(_given(request), orders.RATE_LIMIT))
    rows = RateLimit.objects.order_by("account", "livemode").values(*orders.RATE_LIMIT)
    listed = [{name: value for name, value in row.items() if value is not None} for row in rows]
    return JsonResponse({"rate_limits": listed, "counts": limits.counts()})


@_control("GET", "POST")
def accounts(request: HttpRequest) -> HttpResponse:
    """POST makes one more test account, connected to the platform of this installation unless told otherwise."""
    if request.method == "POST":
        return JsonResponse(seed.another_account(**orders.read(_given(request), orders.ACCOUNT)))
    return JsonResponse({"accounts": list(Account.objects.order_by("created", "pk").values("id", "name", "client_id"))})


@_control("POST")
def close_dispute(request: HttpRequest, id_: str) -> HttpResponse:
    """The bank's verdict, ``{"verdict": "won"}`` or ``lost``."""
    verdict = _given(request).get("verdict")
    if verdict not in ("won", "lost"):
        raise ValueError("Give a JSON object with a verdict: won or lost.")
    found = StoredObject.objects.filter(object="dispute", stripe_id=id_, status__in=disputing.OPEN).first()
    if found is None:
        raise ValueError(f"There is no open dispute {id_}.")
    with at_work(found.account, found.livemode) as scope:
        disputing.close(scope, store.lock(scope, "dispute", id_), verdict)
    return JsonResponse({"dispute": id_, "verdict": verdict})


def _given(request: HttpRequest) -> Any:
    try:
        return json.loads(request.body or b"{}")
    except ValueError as error:
        raise ValueError(f"The body is not JSON: {error}.") from error


def _of(request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
    return rows.filter(account=request.GET["account"]) if "account" in request.GET else rows
