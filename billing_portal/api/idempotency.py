"""The same request sent twice is carried out once: ``Idempotency-Key``.

A lock held for as long as the request runs keeps a second one with the same key out (409, and worth trying
again). The lock belongs to the database connection and so dies with its process.

- **Work of one transaction**, which is nearly all of it, commits together with its answer. Whatever dies, either
  both are there or neither, and the key may be used again.
- **Work that calls out between transactions, or is many of them** (``VendorView.calls_out``) writes down that it
  began, and takes its local steps through ``once``, which commits a step's result together with the step. After a
  crash the same request goes on behind the last step taken. The call itself has an idempotency key of its own.

Kept for 24 hours, for the vendor: successes, and refusals of what was tried and could not be (``Conflict``). Not
kept: what was refused before anything was tried (a wrong field, a wrong address), what passes by itself
(``Busy``), and our own mistakes; the key is free then.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import TypeVar

from django.db import connection, transaction
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from billing_portal.api.errors import retry_header
from billing_portal.api.models import IdempotentRequest
from billing_portal.api.sealing import Unreadable, seal, unseal
from customers.api.base import VendorView
from customers.errors import Busy, Conflict, Invalid, Missing, Refused
from customers.vendor import Vendor

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
KEPT_FOR = timedelta(hours=24)
LONGEST = 255

Handle = Callable[[], HttpResponseBase]
T = TypeVar("T", int, str)

_under_way: ContextVar[IdempotentRequest | None] = ContextVar("idempotent request under way", default=None)


def answer_once(view: VendorView, handle: Handle) -> HttpResponseBase:
    """Carries out a write, or answers again what it was answered before."""
    key = read_key(view.request)
    if key is None:
        return handle()
    with _alone(view.vendor, key):
        row = _find(view.vendor, key, view.real_now) or IdempotentRequest(
            vendor=view.vendor, key=key, created_at=view.real_now
        )
        _check_same(row, _fingerprint(view.request))
        if row.status is not None:
            return _replay(row)
        work = _step_by_step if view.request.method in view.calls_out else _at_once
        return work(view, row, handle)


def once(step: str, work: Callable[[], T]) -> T:
    """A step of work that calls out, in a transaction of its own; taken already, it answers as it did then."""
    row = _under_way.get()
    if row is not None and step in row.steps:
        taken: T = row.steps[step]
        return taken
    with transaction.atomic():
        result = work()
        if row is not None:
            row.steps = {**row.steps, step: result}
            row.save(update_fields=["steps"])
    return result


def forget(*, real_now: datetime, limit: int = 5000) -> int:
    """Delete answers that are no longer kept. How many there were; call again while it is ``limit``."""
    old = IdempotentRequest.objects.filter(created_at__lte=real_now - KEPT_FOR).order_by("created_at")
    ids = list(old.values_list("pk", flat=True)[:limit])
    IdempotentRequest.objects.filter(pk__in=ids).delete()
    return len(ids)


def read_key(request: Request) -> str | None:
    key = request.headers.get(HEADER)
    if key is None:
        return None
    if not key.strip() or len(key) > LONGEST or not key.isprintable() or not key.isascii():
        raise Invalid({HEADER: f"Give 1 to {LONGEST} printable ASCII characters, for example a UUID."})
    return key


def _fingerprint(request: Request) -> str:
    """Of what is asked, not of how it is spelt: spaces and the order of fields do not matter."""
    asked = [request.method, request.path_info, request.META.get("QUERY_STRING", ""), request.data]
    return hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()


@contextmanager
def _alone(vendor: Vendor, key: str) -> Iterator[None]:
    name = f"{vendor.pk}/{key}"
    if not _lock("pg_try_advisory_lock", name):
        message = f"A request with this {HEADER} is being carried out at this moment. Send it again to get its answer."
        raise Busy(message, code="idempotency_key_in_use")
    try:
        yield
    finally:
        _lock("pg_advisory_unlock", name)


def _lock(function: str, name: str) -> bool:
    with connection.cursor() as cursor:
        # The 3 keeps these apart from other locks on texts.
        cursor.execute(f"SELECT {function}(hashtextextended(%s, 3))", [name])
        return bool(cursor.fetchone()[0])


def _find(vendor: Vendor, key: str, real_now: datetime) -> IdempotentRequest | None:
    row = IdempotentRequest.objects.of(vendor).filter(key=key).first()
    if row is None or row.created_at > real_now - KEPT_FOR:
        return row
    row.delete()
    return None


def _check_same(row: IdempotentRequest, fingerprint: str) -> None:
    row.fingerprint = row.fingerprint or fingerprint
    if row.fingerprint != fingerprint:
        message = f"This {HEADER} came with another request before. Use a new one for a new request."
        raise Refused(message, code="idempotency_key_reused")


def _at_once(view: VendorView, row: IdempotentRequest, handle: Handle) -> HttpResponseBase:
    def work() -> HttpResponseBase:
        # Undone by itself where it is refused, so that the refusal can be kept.
        with transaction.atomic():
            return handle()

    with transaction.atomic():
        response = _outcome(view, work)
        _keep(row, response)
    return response


def _step_by_step(view: VendorView, row: IdempotentRequest, handle: Handle) -> HttpResponseBase:
    row.save()
    token = _under_way.set(row)
    try:
        response = _outcome(view, handle)
    except Exception:
        _give_back(row)
        raise
    finally:
        _under_way.reset(token)
    _keep(row, response)
    return response


def _outcome(view: VendorView, handle: Handle) -> HttpResponseBase:
    """The answer to keep. Raises where there is none: nothing was tried, it passes, or it is our mistake."""
    try:
        return handle()
    except (Invalid, Missing, Busy):
        raise
    except Refused as refusal:
        return view.handle_exception(refusal)


def _give_back(row: IdempotentRequest) -> None:
    """Nothing was done, so the key is as new. With a step taken it stays, for the request to go on."""
    if not row.steps:
        row.delete()


def _keep(row: IdempotentRequest, response: HttpResponseBase) -> None:
    data = response.data if isinstance(response, Response) else {}
    row.status, row.sealed_body = response.status_code, seal(JSONRenderer().render(data))
    row.save()


def _replay(row: IdempotentRequest) -> HttpResponse:
    try:
        body = unseal(bytes(row.sealed_body))
    except Unreadable:
        message = f"The answer to this {HEADER} can no longer be read. See what the request did, then use a new one."
        raise Conflict(message, code="idempotent_answer_lost") from None
    headers = {REPLAYED: "true", **retry_header(row.status or 0)}
    return HttpResponse(body, status=row.status, content_type="application/json", headers=headers)
