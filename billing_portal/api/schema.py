"""What every operation of the OpenAPI schema shares: the keys that open it and the refusals it may answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema

from billing_portal.api.errors import body
from billing_portal.api.examples import add_examples
from billing_portal.api.idempotency import HEADER, LONGEST, REPLAYED

Schema = dict[str, Any]

DESCRIPTION = """\
Every address is answered with and without a trailing slash. Field names are snake_case; camelCase is understood
too. Times carry their offset. Amounts are whole minor units of a currency (cents) unless a field says otherwise.

Every write may carry an `Idempotency-Key`. Sent again with the same key within 24 hours, it is not carried out again:
the first answer comes back, marked `Idempotent-Replayed: true`. That goes for successes and for refusals of what was
tried (409); after any other answer the key is free. While the first request is still running, the second is answered
409 with `octane-should-retry: true`. The same key with another address or body is refused with 422.

Lists are answered whole unless `limit` is given. Then, where there is more, the headers `X-Next-Cursor` and `Link`
(`rel="next"`) say where to go on. Pages neither overlap nor skip while rows come and go.

A key is made for everything, to read only, or to send measurements only. It may make as many requests in a minute
as the headers `RateLimit-Limit`, `RateLimit-Remaining` and `RateLimit-Reset` (seconds) say; beyond that it is answered
429 with `Retry-After`. Every answer carries an `X-Request-Id`: yours if you send one, else one of ours. Our log lines
carry it too.

Client libraries written for Octane know some operations that are not built here: they answer 501, kind `not_built`,
with a sentence that says so, and are not listed below.
"""

IDEMPOTENCY_KEY: Schema = {
    "name": HEADER,
    "in": "header",
    "description": "Chosen by you, for example a UUID. However often it is sent, the request is carried out once.",
    "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST},
}


def _header(text: str, **schema: Any) -> Schema:
    return {"description": text, "schema": schema or {"type": "string"}}


HEADERS: Schema = {
    REPLAYED: _header(
        "`true`: the answer given before under the same `Idempotency-Key`.", type="string", enum=["true"]
    ),
    "X-Request-Id": _header("The request's name, yours or ours."),
    "RateLimit-Limit": _header("Requests a minute that the key may make.", type="integer"),
    "RateLimit-Remaining": _header("What is left of them.", type="integer"),
    "RateLimit-Reset": _header("Seconds until the minute is over.", type="integer"),
    "Retry-After": _header("Seconds to wait.", type="integer"),
    "X-Next-Cursor": _header("Pass it back as `cursor` for the page after; absent: this was the last."),
    "Link": _header('The address of the page after: `<...>; rel="next"`.'),
}
_ON_EVERY_ANSWER = ("X-Request-Id", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")
_ON_PAGES = ("X-Next-Cursor", "Link")

ERROR: Schema = {
    "type": "object",
    "description": "A refusal. Nothing was changed.",
    "required": ["code", "status", "message", "errors"],
    "properties": {
        "code": {"type": "integer", "description": "The HTTP status."},
        "status": {"type": "string", "description": "The HTTP status in words."},
        "message": {"type": "string", "description": "What is wrong and what to do, for people."},
        "errors": {
            "type": "object",
            "description": "What is wrong with each field, by its path (`metered_components.0.meter_name`; the whole "
            "body is `body`); or, where no field is at fault, `kind`: one word for machines.",
            "additionalProperties": {
                "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
            },
        },
    },
}

# By status: the response's name, what it means, an example's message and errors.
REFUSALS: dict[int, tuple[str, str, str, Schema]] = {
    400: ("BadRequest", "The request cannot be read.", "The body is not valid JSON.", {"kind": "parse_error"}),
    401: (
        "Unauthorized",
        "The API key is missing, unknown or has expired.",
        "This API key is unknown or has expired.",
        {"kind": "authentication_failed"},
    ),
    403: (
        "Forbidden",
        "The API key was made for something else: to read only, or to send measurements only.",
        "The API key backend (bp_3kWv…) was made to read only. Use a key whose scope allows this.",
        {"kind": "permission_denied"},
    ),
    404: ("NotFound", "There is no such thing.", "There is no customer 'acme'.", {"kind": "not_found"}),
    409: ("Conflict", "Its present state does not allow it.", "Acme has invoices.", {"kind": "conflict"}),
    422: (
        "Invalid",
        "A field is wrong. Each is named in `errors`.",
        "meter_name: There is no meter 'requests'.",
        {"meter_name": ["There is no meter 'requests'."]},
    ),
    429: ("TooManyRequests", "Too many requests. Wait as `Retry-After` says.", "Too many.", {"kind": "throttled"}),
    500: ("ServerError", "Our mistake. It was logged.", "Something went wrong on our side.", {"kind": "internal"}),
}
_ALWAYS = (400, 401, 403, 429, 500)
_METHODS = ("get", "post", "put", "delete")


class ApiKeySchema(OpenApiAuthenticationExtension):
    """Either header opens the API."""

    target_class = "billing_portal.api.authentication.ApiKeyAuthentication"
    name = ["ApiKey", "ApiKeyInXAuthorization"]

    def get_security_requirement(self, auto_schema: AutoSchema) -> list[dict[str, list[Any]]]:
        return [{name: []} for name in self.name]

    def get_security_definition(self, auto_schema: AutoSchema) -> list[Schema]:
        return [
            {"type": "http", "scheme": "bearer", "description": "`Authorization: Bearer <API key>`"},
            {
                "type": "apiKey",
                "in": "header",
                "name": "X-Authorization",
                "description": "`Bearer <API key>`, where a proxy claims the usual header.",
            },
        ]


def add_what_is_shared(result: Schema, generator: Any, **kwargs: Any) -> Schema:
    """How every operation may be refused, and how every write is sent again safely, written down once."""
    result["info"]["description"] = DESCRIPTION
    components = result.setdefault("components", {})
    components.setdefault("schemas", {})["Error"] = ERROR
    components["responses"] = {name: _response(code) for code, (name, *_) in REFUSALS.items()}
    components["parameters"] = {"IdempotencyKey": IDEMPOTENCY_KEY}
    components["headers"] = HEADERS
    for path, method, operation in _operations(result):
        for code in _refusals_of(path, method, operation):
            operation["responses"][str(code)] = {"$ref": f"#/components/responses/{REFUSALS[code][0]}"}
        if method != "get":
            _may_be_repeated(operation)
        _say_headers(operation)
        add_examples(operation, components["schemas"])
    return result


def _say_headers(operation: Schema) -> None:
    """On every success; refusals share theirs. A list that is an array says in headers where it goes on."""
    pages = any(parameter.get("name") == "cursor" for parameter in operation.get("parameters", []))
    names = [*_ON_EVERY_ANSWER, *(_ON_PAGES if pages else [])]
    for code, said in operation["responses"].items():
        if code.startswith("2"):
            is_array = said["content"].get("application/json", {}).get("schema", {}).get("type") == "array"
            wanted = names if is_array else _ON_EVERY_ANSWER
            said.setdefault("headers", {}).update({name: {"$ref": f"#/components/headers/{name}"} for name in wanted})


def _may_be_repeated(operation: Schema) -> None:
    operation.setdefault("parameters", []).append({"$ref": "#/components/parameters/IdempotencyKey"})
    for code, said in operation["responses"].items():
        if code.startswith("2"):
            said["headers"] = {REPLAYED: {"$ref": f"#/components/headers/{REPLAYED}"}}


def _operations(result: Schema) -> Iterator[tuple[str, str, Schema]]:
    for path, methods in result["paths"].items():
        for method in _METHODS:
            if method in methods:
                yield path, method, methods[method]


def _refusals_of(path: str, method: str, operation: Schema) -> list[int]:
    found = {int(code) for code in operation["responses"] if int(code) in REFUSALS}.union(_ALWAYS)
    if "{" in path:
        found.add(404)
    if method != "get":
        found |= {409, 422}
    if any(parameter["in"] == "query" for parameter in operation.get("parameters", [])):
        found.add(422)
    return sorted(found)


def _response(code: int) -> Schema:
    _, meaning, message, errors = REFUSALS[code]
    content = {"schema": {"$ref": "#/components/schemas/Error"}, "example": body(code, message, errors)}
    names = [*_ON_EVERY_ANSWER, *(["Retry-After"] if code == 429 else [])]
    headers = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
    return {"description": meaning, "headers": headers, "content": {"application/json": content}}
