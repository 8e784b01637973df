"""The checks themselves: a request, a response, an exchange, a bare object."""

from __future__ import annotations

import importlib
import importlib.util
import json
import typing
from collections.abc import Mapping
from typing import Any

import stripe
from stripe._list_object import ListObject
from stripe._search_result_object import SearchResultObject

from tests.contract.endpoints import require_endpoint, split_path
from tests.contract.expansion import at_path, check_expand
from tests.contract.findings import Issue, Report
from tests.contract.forms import as_list, decode_form
from tests.contract.scalars import kind_of
from tests.contract.values import Checker

# Parameters that Stripe takes although the SDK's types do not list them.
UNTYPED_PARAMS = {
    ("post", "/oauth/token"): {"client_secret", "client_id"},
    ("post", "/oauth/deauthorize"): {"client_secret"},
}


Params = str | bytes | Mapping[str, Any] | None


def _load_params(method: str, path: str, params: Params, report: Report) -> tuple[dict, str]:
    """(nested params, mode)"""
    _, query = split_path(path)
    mode = "native"
    if isinstance(params, (str, bytes, bytearray)):
        mode = "wire"
        data: dict[str, Any] = decode_form(bytes(params) if isinstance(params, bytearray) else params, report)
    elif params is None:
        data = {}
    elif isinstance(params, Mapping):
        if any(isinstance(k, str) and "[" in k for k in params):
            # flat {"lines[0][amount]": "5"} as many servers hand over
            flat = "&".join(
                f"{_quote(k)}={_quote(v)}"
                for k, vs in params.items()
                for v in (vs if isinstance(vs, (list, tuple)) else [vs])
                if v is not None
            )
            data, mode = decode_form(flat, report), "wire"
        else:
            data = dict(params)
    else:
        report.add("input", "", f"params must be a mapping or a form body, not {type(params).__name__}")
        return {}, mode
    if query:
        extra = decode_form(query, report)
        for key, value in extra.items():
            data.setdefault(key, value)
        if not params:
            mode = "wire"
    return data, mode


def _quote(value: Any) -> str:
    from urllib.parse import quote_plus

    if isinstance(value, bool):
        value = str(value).lower()
    return quote_plus(str(value))


def _request_report(method: str, path: str, params: Params) -> Report:
    report = Report()
    endpoint = require_endpoint(method, path, report)
    if not endpoint:
        return report
    data, mode = _load_params(method, path, params, report)
    cls = endpoint.params_class
    allowed = UNTYPED_PARAMS.get((endpoint.method, endpoint.template), set())
    data = {k: v for k, v in data.items() if k not in allowed}
    if cls is None:
        for key in data:
            report.add("unknown_param", str(key), f"{endpoint} takes no parameters")
        return report
    Checker(mode, report).typed_dict(data, cls, "")
    expand = data.get("expand")
    if expand and endpoint.returns_annotation:
        paths = as_list(expand) or []
        check_expand(paths, endpoint.returns, endpoint.module, report)
    return report


def _error_report(body: Mapping[str, Any], report: Report) -> Report:
    error = body.get("error")
    if isinstance(error, str):  # OAuth
        if not isinstance(body.get("error_description", ""), str):
            report.add("type", "error_description", "expected a string")
        return report
    from stripe._error_object import ErrorObject

    checker = Checker("response", report)
    checker.resource(error, ErrorObject, "error")
    for key in body:
        if key != "error":
            report.add("extra", str(key), "next to error")
    return report


def _response_report(method: str, path: str, body: Any, status: int | None = None) -> Report:
    report = Report()
    endpoint = require_endpoint(method, path, report)
    if isinstance(body, (str, bytes)):
        try:
            body = json.loads(body)
        except ValueError as error:
            report.add("input", "", f"response is not JSON: {error}")
            return report
    if isinstance(body, Mapping) and "error" in body and "object" not in body:
        if status is not None and status < 400:
            report.add("status", "", f"an error body with status {status}")
        return _error_report(body, report)
    if status is not None and status >= 400:
        report.add("missing", "error", f"status {status} without an error object")
        return report
    if not endpoint:
        return report
    if endpoint.returns_annotation is None or endpoint.returns_annotation.startswith("StripeStream"):
        return report
    checker = Checker("response", report)
    checker.value(body, endpoint.returns, endpoint.module, "")
    if isinstance(body, Mapping) and body.get("object") == "event":
        _check_event(body, report)
    return report


def object_class(name: str) -> type | None:
    from stripe._object_classes import OBJECT_CLASSES

    if name not in OBJECT_CLASSES:
        return None
    module, attribute = OBJECT_CLASSES[name]
    return getattr(importlib.import_module(module), attribute)


def _check_event(event: Mapping[str, Any], report: Report) -> None:
    """Check the snapshot inside an event, and say so when its version differs."""
    version = event.get("api_version")
    if version and version != stripe.api_version:
        report.add(
            "event_version",
            "api_version",
            f"snapshot rendered as {version}, the SDK describes {stripe.api_version}",
        )
    data = event.get("data")
    inner = data.get("object") if isinstance(data, Mapping) else None
    if isinstance(inner, Mapping) and inner:
        _check_named(inner, "data.object", report)


def _check_named(body: Mapping[str, Any], where: str, report: Report) -> None:
    name = body.get("object")
    cls = object_class(name) if isinstance(name, str) else None
    if cls is None:
        report.add("object", f"{where}.object" if where else "object", f"unknown object {name!r}")
        return
    checker = Checker("response", report)
    if issubclass(cls, (ListObject, SearchResultObject)):
        checker._page(body, str(name), typing.Any, "typing", where)
        for number, element in enumerate(body.get("data") or []):
            if isinstance(element, Mapping) and isinstance(element.get("object"), str):
                _check_named(element, f"{where}data[{number}]", report)
        return
    checker.resource(body, cls, where)
    if name == "event":
        _check_event(body, report)


def check_request(method: str, path: str, params: Params = None) -> list[str]:
    """Violations of a request against the SDK's typed params."""
    return _request_report(method, path, params).strings()


def check_response(method: str, path: str, json: Any, status: int | None = None) -> list[str]:
    """Violations of a response body against the SDK's resource annotations."""
    return _response_report(method, path, json, status).strings()


def extra_fields(method: str, path: str, json: Any) -> list[str]:
    """Fields present in a response that the SDK does not know (not violations)."""
    return [str(i) for i in _response_report(method, path, json).extras]


def check_object(body: Any) -> Report:
    """Check any API object, list, event or error body by what it says it is."""
    report = Report()
    if not isinstance(body, Mapping):
        report.add("input", "", f"{kind_of(body)}, expected an object")
    elif "error" in body and "object" not in body:
        _error_report(body, report)
    else:
        _check_named(body, "", report)
    return report


def check_headers(method: str, headers: Mapping[str, str]) -> list[str]:
    """The few header rules worth checking on a captured request."""
    lower = {k.lower(): v for k, v in headers.items()}
    found: list[str] = []
    version = lower.get("stripe-version")
    if version and version != stripe.api_version:
        found.append(f"[header] Stripe-Version: {version!r}, the SDK pins {stripe.api_version!r}")
    key = lower.get("idempotency-key")
    if method.lower() == "post" and not key:
        found.append("[header] Idempotency-Key: missing on a POST")
    if key and len(key) > 255:
        found.append("[header] Idempotency-Key: longer than 255 characters")
    account = lower.get("stripe-account")
    if account is not None and not account.startswith("acct_"):
        found.append(f"[header] Stripe-Account: {account!r} is not an account id")
    content = lower.get("content-type", "")
    if (
        method.lower() == "post"
        and content
        and not content.startswith(("application/x-www-form-urlencoded", "multipart/form-data"))
    ):
        found.append(f"[header] Content-Type: {content!r}; v1 takes forms, not JSON")
    return found


def check_exchange(record: Mapping[str, Any]) -> Report:
    """One recorded exchange: {method, path, params?, response?, status?, headers?}."""
    report = Report()
    method, path = record.get("method"), record.get("path")
    if not isinstance(method, str) or not isinstance(path, str):
        report.add("input", "", "a record needs a method and a path")
        return report
    params = record.get("params", record.get("body"))
    request = _request_report(method, path, params)
    report.endpoint = request.endpoint
    report.issues += [Issue(i.kind, f"request {i.where}".rstrip(), i.message) for i in request.issues]
    if isinstance(record.get("headers"), Mapping):
        for line in check_headers(method, record["headers"]):
            report.issues.append(Issue("header", "request", line.split("] ", 1)[1]))
    if "response" not in record:
        return report
    status = record.get("status")
    response = _response_report(method, path, record["response"], status if isinstance(status, int) else None)
    if request.endpoint is None:
        response.issues = [i for i in response.issues if i.kind != "endpoint"]
    report.issues += [Issue(i.kind, f"response {i.where}".rstrip(), i.message) for i in response.issues]
    report.extras += [Issue(i.kind, f"response {i.where}".rstrip(), i.message) for i in response.extras]
    report.absent += response.absent
    body = record["response"]
    if isinstance(body, Mapping) and "error" not in body:
        data, _ = _load_params(method, path, params, Report())
        for wanted in as_list(data.get("expand") or []) or []:
            if isinstance(wanted, str) and any(isinstance(v, str) for v in at_path(body, wanted.split("."))):
                report.add("not_expanded", f"response {wanted}", "asked for, still a bare id")
        if body.get("object") == "list" and isinstance(body.get("data"), list):
            try:
                limit = int(data.get("limit") or 10)
            except (TypeError, ValueError):
                limit = 10
            if len(body["data"]) > limit:
                report.add("list", "response data", f"{len(body['data'])} rows for limit={limit}")
    return report
