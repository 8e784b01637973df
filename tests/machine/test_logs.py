"""What production logs: a JSON object a line, with the ids by which one finds what happened, and without secrets."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from billing_portal.celery import app
from billing_portal.logs import JsonLines, TextLines
from customers import log_context
from invoicing.invoices import advance
from invoicing.invoices.states import InvoiceAction
from tests.api.client import Api
from tests.factories import InvoiceFactory, VendorFactory


@pytest.fixture
def lines() -> Iterator[Any]:
    """What is logged from here on, as production writes it."""
    written, root = StringIO(), logging.getLogger()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JsonLines())
    loud = [logging.getLogger(name) for name in ("billing_portal.requests", "invoicing.steps")]
    before = [one.level for one in (*loud, root)]
    root.addHandler(handler)
    for one in (*loud, root):
        one.setLevel(logging.INFO)
    yield lambda: [json.loads(line) for line in written.getvalue().splitlines()]
    root.removeHandler(handler)
    for one, level in zip((*loud, root), before, strict=True):
        one.setLevel(level)


@pytest.mark.django_db
def test_a_request(lines: Any) -> None:
    api = Api(VendorFactory.create())
    headers = {"Authorization": f"Bearer {api.key}", "X-Request-Id": "order-17"}
    Client().post("/api/v1/meters?debug=1", {"name": "payload"}, content_type="application/json", headers=headers)
    [line] = [one for one in lines() if one["logger"] == "billing_portal.requests"]
    assert line["request_id"] == "order-17"
    assert line["vendor"] == api.vendor.name
    assert (line["method"], line["route"].endswith("meters"), line["level"]) == ("POST", True, "INFO")
    assert line["status"] in (200, 400)
    assert api.key not in json.dumps(lines())
    assert "payload" not in json.dumps(lines())
    assert not log_context.known()


@pytest.mark.django_db
def test_a_step_of_an_invoice_and_the_task_that_took_it(lines: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    token = uuid.uuid4()
    invoice = InvoiceFactory.create(
        next_action=InvoiceAction.ISSUE, claim_token=token, claimed_until=timezone.now(), next_action_at=timezone.now()
    )

    def broken(invoice: Any, real_now: Any) -> None:
        raise RuntimeError("refused for postgres://portal:let-me-in@db/portal")

    monkeypatch.setitem(advance._STEPS, InvoiceAction.ISSUE, broken)
    app.tasks["invoicing.tasks.perform_step"].apply((invoice.pk, str(token)), task_id="task-1", headers={}).get()
    [line] = [one for one in lines() if one["logger"] == "invoicing.invoices.advance"]
    ids = {"vendor": invoice.vendor.name, "invoice": str(invoice.uuid), "task_id": "task-1"}
    assert ids.items() <= line.items()
    assert line["task"] == "invoicing.tasks.perform_step"
    assert line["error"] == "RuntimeError"
    assert "postgres://portal:[hidden]@db/portal" in line["trace"]
    assert not log_context.known()


SECRETS = (
    "sk_live_51Habcdefghijk",
    "rk_test_51Habcdefghijk",
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "bp_2Jb7S0V1mRk5p9yQe8dKXw1ZbGqYtNf3",
    "Bearer abc.def",
    "redis://:let-me-in@10.0.0.4:6379/0",
    "https://user:let-me-in@api.example/v1",
    "/i/0d2ffb48-3c55-4f2e-b1b5-6f46d1f3f4a5:Vd0p0bZ2yGvEwYJmDkV0l6bq3C8r4b0J7m1cXo8S9Wk",
    "/new-password/MQ/cx3k2a-0123456789abcdef0123456789abcdef/",
)


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("lines_of", [JsonLines, TextLines])
def test_what_looks_like_a_secret_is_not_shown(secret: str, lines_of: type[logging.Formatter]) -> None:
    record = logging.LogRecord("tests", logging.ERROR, __file__, 1, "before %s, after", (secret,), None)
    shown = lines_of().format(record)
    assert secret not in shown
    assert "[hidden]" in shown
    assert ", after" in shown


def test_what_is_no_secret_is_shown() -> None:
    text = "evt_1Q invoice 0d2ffb48-3c55-4f2e-b1b5-6f46d1f3f4a5 at https://billing.example.com:8443/x took 12:30:01"
    record = logging.LogRecord("tests", logging.INFO, __file__, 1, text, (), None)
    assert json.loads(JsonLines().format(record))["message"] == text


def test_a_task_tells_in_which_request_it_was_asked_for() -> None:
    from celery.signals import before_task_publish

    headers: dict[str, Any] = {}
    with log_context.about(request_id="order-17"):
        before_task_publish.send(sender="a task", headers=headers)
    assert headers == {"asked_in": "order-17"}
