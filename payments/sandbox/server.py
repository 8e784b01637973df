"""One request: who asks, for what; the work; the answer and its headers."""

import json
import logging
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from payments.sandbox import auth, events, faults, forms, idempotency, limits, routing, test_time
from payments.sandbox.errors import StripeError, server_error, unrecognized_url
from payments.sandbox.expand import expand
from payments.sandbox.ids import request_id
from payments.sandbox.params import Params, read
from payments.sandbox.scope import JSON, Scope

logger = logging.getLogger(__name__)

GARBAGE = "<html><body><h1>502 Bad Gateway</h1></body>"


@dataclass(frozen=True)
class Answer:
    status: int
    body: str
    headers: dict[str, str] = field(default_factory=dict)


def api(request: HttpRequest) -> HttpResponse:
    """Everything under ``/v1/``."""
    id_ = request_id()
    real_now = timezone.now()
    try:
        answer = _answer(request, id_, real_now)
    except StripeError as error:
        answer = _error_answer(error, id_)
    except faults.Dropped:
        raise
    except faults.Garbled:
        answer = Answer(200, GARBAGE)
    except Exception:
        logger.exception("%s %s failed", request.method, request.path)
        answer = _error_answer(server_error(), id_)
    return _response(request, answer, id_)


def _answer(request: HttpRequest, id_: str, real_now: datetime) -> Answer:
    scope = auth.scope_of(request, id_, real_now)
    method = request.method or "GET"
    found = routing.find(method, request.path)
    if found is None:
        raise unrecognized_url(method, request.path)
    endpoint, ids = found
    limits.enter_endpoint(scope.account, scope.livemode, f"{method} {endpoint.template}", scope.endpoint_per_second)
    fault = faults.take(scope, method, request.path)
    faults.before(fault)
    given = forms.decode(_form(request))
    scope = test_time.of_request(scope, endpoint.template, {**given, **ids})
    if method == "GET":
        answer = _read(scope, endpoint, given, ids)
    else:
        answer = _write(scope, endpoint, given, ids, f"{method} {request.path}")
    faults.after(fault)
    return answer


def _form(request: HttpRequest) -> str:
    if request.method == "POST":
        return request.body.decode()
    return str(request.META.get("QUERY_STRING", ""))


def _read(scope: Scope, endpoint: routing.Endpoint, given: Params, ids: dict[str, str]) -> Answer:
    params = read(given, endpoint.fields)
    body = endpoint.call(scope, params, ids)
    return _rendered(scope, body, params)


def _write(scope: Scope, endpoint: routing.Endpoint, given: dict[str, Any], ids: dict[str, str], what: str) -> Answer:
    """The work, its events and its stored answer, all or nothing. A refusal of the work undoes it and is the answer
    from then on; one of the parameters leaves the key free."""
    print_ = idempotency.fingerprint(what, given)
    with transaction.atomic():
        idempotency.enter(scope)
        if answered := idempotency.stored(scope, print_):
            headers = {"Idempotent-Replayed": "true", "Original-Request": answered.request_id}
            return Answer(answered.status, answered.body, headers)
        params = read(given, endpoint.fields)
        body, refusal = _worked(scope, endpoint, params, ids)
        answer = _rendered(scope, body, params)
        events.flush(scope)
        idempotency.store(scope, print_, answer.status, answer.body)
    if refusal is not None:
        raise refusal
    return answer


def _worked(
    scope: Scope, endpoint: routing.Endpoint, params: Params, ids: dict[str, str]
) -> tuple[JSON | StripeError, StripeError | None]:
    """The answer; and the refusal that undid the work, to be raised once it is stored."""
    try:
        with transaction.atomic():
            return endpoint.call(scope, params, ids), None
    except StripeError as refusal:
        if refusal.leaves_the_key_free:
            raise
        scope.news.clear()
        return refusal, refusal


def _rendered(scope: Scope, body: JSON | StripeError, params: Params) -> Answer:
    if isinstance(body, StripeError):
        return _error_answer(body, scope.request or "")
    if paths := params.get("expand"):
        body = expand(scope, body, paths)
    return Answer(200, json.dumps(body))


def _error_answer(error: StripeError, id_: str) -> Answer:
    return Answer(error.status, json.dumps({"error": error.error(id_)}), error.headers)


def _response(request: HttpRequest, answer: Answer, id_: str) -> HttpResponse:
    response = HttpResponse(answer.body, status=answer.status, content_type="application/json")
    response["Request-Id"] = id_
    response["Stripe-Version"] = request.headers.get("Stripe-Version", events.API_VERSION)
    for name in ("Stripe-Account", "Idempotency-Key"):
        if (value := request.headers.get(name)) and not re.search(r"[\r\n]", value):
            response[name] = value
    for name, value in answer.headers.items():
        response[name] = value
    return response
