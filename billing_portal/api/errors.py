"""How a refusal looks on the wire: ``{"code", "status", "message", "errors"}``.

``errors`` names each field at fault with what is wrong with it; where no field is, it holds the one
key ``kind``. No key is ever called ``error``: with it the Python client library raises classes that
existing integrations do not catch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.core.exceptions import NON_FIELD_ERRORS, PermissionDenied, SuspiciousOperation, TooManyFieldsSent
from django.core.exceptions import ValidationError as ModelValidationError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import set_rollback

from billing_portal.portal.mishaps import bad_request as bad_request_page
from billing_portal.portal.mishaps import server_error as server_error_page
from customers.errors import Busy, Conflict, Invalid, Missing, Refused

# Newer Pythons call 422 "Unprocessable Content"; clients know it by its older name.
_PHRASES = {422: "Unprocessable Entity"}
_SHOWN = 5
_WHOLE = {api_settings.NON_FIELD_ERRORS_KEY, NON_FIELD_ERRORS, ""}

Errors = dict[str, Any]


def body(code: int, message: str, errors: Mapping[str, Any]) -> Errors:
    return {
        "code": code,
        "status": _PHRASES.get(code) or HTTPStatus(code).phrase,
        "message": message,
        "errors": dict(errors),
    }


def exception_handler(exception: Exception, context: Mapping[str, Any]) -> Response | None:
    """None for what nobody foresaw: that is logged with its traceback and answered by ``server_error``."""
    answer = _answer(exception)
    if answer is None:
        return None
    set_rollback()
    code, message, errors = answer
    return Response(body(code, message, errors), status=code, headers=_headers(exception, code))


def _answer(exception: Exception) -> tuple[int, str, Errors] | None:
    match exception:
        case Invalid():
            return _invalid(exception.errors)
        case exceptions.ValidationError():
            return _invalid(flatten(exception.detail))
        case ModelValidationError():
            return _invalid(flatten(_model_detail(exception)))
        case Refused():
            return _refused(exception)
        case Http404():
            return 404, str(exception) or "Not found.", {"kind": "not_found"}
        case PermissionDenied():
            return 403, str(exception) or "Not allowed.", {"kind": "permission_denied"}
        case exceptions.NotAuthenticated():
            return 401, "Send your API key in the header 'Authorization: Bearer <key>'.", {"kind": "not_authenticated"}
        case SuspiciousOperation():
            return 400, _suspicion(exception), {"kind": "parse_error"}
        case exceptions.APIException():
            return exception.status_code, str(exception.detail), {"kind": str(exception.get_codes())}
    return None


def _refused(refusal: Refused) -> tuple[int, str, Errors]:
    codes: dict[type[Refused], int] = {Missing: 404, Conflict: 409}
    code = next((code for kind, code in codes.items() if isinstance(refusal, kind)), 422)
    return code, refusal.message, {"kind": refusal.code}


def _suspicion(exception: Exception) -> str:
    """Django logs the reason of the others; callers are not told it."""
    if isinstance(exception, TooManyFieldsSent):
        return f"The query has more than {settings.DATA_UPLOAD_MAX_NUMBER_FIELDS} parameters."
    return "The request cannot be read."


def _invalid(errors: Mapping[str, Sequence[str]]) -> tuple[int, str, Errors]:
    parts = [f"{name}: {' '.join(texts)}" for name, texts in errors.items()]
    rest = len(parts) - _SHOWN
    message = "; ".join(parts[:_SHOWN]) + (f"; and {rest} more." if rest > 0 else "")
    return 422, message, dict(errors)


def _model_detail(error: ModelValidationError) -> Any:
    return error.message_dict if hasattr(error, "error_dict") else error.messages


def flatten(detail: Any) -> dict[str, list[str]]:
    """Nested details to one level: ``metered_components.0.meter_name``. The whole body is called ``body``."""
    flat: dict[str, list[str]] = {}
    for path, text in _walk(detail, ()):
        flat.setdefault(".".join(path) or "body", []).append(text)
    return flat


def _walk(detail: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(detail, Mapping):
        for key, value in detail.items():
            yield from _walk(value, path if key in _WHOLE else (*path, str(key)))
    elif isinstance(detail, list | tuple):
        for index, value in enumerate(detail):
            nested = isinstance(value, Mapping | list | tuple)
            yield from _walk(value, (*path, str(index)) if nested else path)
    else:
        yield path, str(detail)


def _headers(exception: Exception, code: int) -> dict[str, str]:
    headers: dict[str, str] = {}
    if challenge := getattr(exception, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if wait := getattr(exception, "wait", None):
        headers["Retry-After"] = str(int(wait))
    return headers | retry_header(code, passes=isinstance(exception, Busy))


def retry_header(code: int, *, passes: bool = False) -> dict[str, str]:
    """The Python client library takes every conflict for a passing one and would try twice more; so with 501."""
    return {"octane-should-retry": "true" if passes else "false"} if code in (409, 501) else {}


@csrf_exempt
def unknown_path(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return JsonResponse(body(404, f"There is nothing at {request.path}.", {"kind": "not_found"}), status=404)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """The handler of requests that Django itself refuses: JSON for the API, the usual page for people."""
    if not request.path.startswith("/api/"):
        return bad_request_page(request)
    return JsonResponse(body(400, _suspicion(exception), {"kind": "parse_error"}), status=400)


def server_error(request: HttpRequest) -> HttpResponse:
    """The handler of unforeseen errors: JSON for the API, the usual page for people."""
    if not request.path.startswith("/api/"):
        return server_error_page(request)
    message = "Something went wrong on our side. It has been logged; please try again."
    return JsonResponse(body(500, message, {"kind": "internal"}), status=500)
