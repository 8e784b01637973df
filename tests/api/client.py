"""A client that speaks JSON on behalf of one vendor."""

from __future__ import annotations

import json
from typing import Any

from django.test import Client

from billing_portal.accounts.models import ApiKey
from customers.models import Vendor
from tests.contract.served_schema import Operation, check
from tests.factories import START


class Api:
    """``api.get("/customers")`` asks ``/api/v1/customers`` with the vendor's key.

    Every answer is held against the schema that is served. ``key``: an ``Idempotency-Key`` to send along.
    """

    def __init__(self, vendor: Vendor, *, client: Client | None = None) -> None:
        self.vendor = vendor
        self.row, self.key = ApiKey.issue(vendor, "tests", now=START)
        self.http = client or Client()
        self.went_well: set[Operation] = set()

    def get(self, path: str, query: dict[str, Any] | None = None, *, key: str | None = None) -> Any:
        return self._checked(self.http.get(f"/api/v1{path}", query or {}, headers=self._headers(key)))

    def post(self, path: str, body: Any = None, *, key: str | None = None) -> Any:
        return self._send("post", path, body, key)

    def put(self, path: str, body: Any = None, *, key: str | None = None) -> Any:
        return self._send("put", path, body, key)

    def delete(self, path: str, body: Any = None, *, key: str | None = None) -> Any:
        return self._send("delete", path, body, key)

    def _send(self, method: str, path: str, body: Any, key: str | None = None) -> Any:
        text = "" if body is None else body if isinstance(body, str) else json.dumps(body)
        send, kind = getattr(self.http, method), "text/csv" if path.endswith("/csv") else "application/json"
        return self._checked(send(f"/api/v1{path}", text, content_type=kind, headers=self._headers(key)))

    def _checked(self, response: Any) -> Any:
        request = response.wsgi_request
        operation = check(request.method, request.path_info, response)
        if response.status_code < 300:
            self.went_well.add(operation)
        return response

    def _headers(self, key: str | None) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"} | ({} if key is None else {"Idempotency-Key": key})


def refusal(response: Any, code: int) -> dict[str, Any]:
    """The errors of an answer, once its shape is checked."""
    body = json.loads(response.content)
    assert response.status_code == code, body
    assert set(body) == {"code", "status", "message", "errors"}
    assert body["code"] == code
    assert body["message"]
    errors: dict[str, Any] = body["errors"]
    return errors


def answer(response: Any, code: int = 200) -> Any:
    assert response.status_code == code, response.content
    return json.loads(response.content)
