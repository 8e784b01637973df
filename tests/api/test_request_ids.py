"""A request's id: given back, and in what is logged meanwhile."""

import logging

import pytest
from django.test import Client

from billing_portal.api.request_ids import NameRequest
from tests.api.client import Api, answer


@pytest.mark.parametrize(
    ("sent", "kept"), [("order-17:retry.1", True), ("", False), ("two words", False), ("x" * 129, False)]
)
def test_the_callers_own_id_is_kept_if_it_is_one(api: Api, sent: str, kept: bool) -> None:
    response = Client().get("/api/v1/meters", headers={"Authorization": f"Bearer {api.key}", "X-Request-Id": sent})
    assert answer(response) == []
    assert (response["X-Request-Id"] == sent) == kept
    assert response["X-Request-Id"]


def test_every_answer_has_one(client: Client) -> None:
    names = {client.get(path)["X-Request-Id"] for path in ("/api/v1/meters", "/api/v1/nothing", "/sign-in/")}
    assert len(names) == 3


def test_it_stands_in_what_is_logged_meanwhile(api: Api, monkeypatch, caplog) -> None:
    def broken(*args, **kwargs):
        raise RuntimeError("unforeseen")

    monkeypatch.setattr("invoicing.catalog.api.views.meter_shape", broken)
    monkeypatch.setattr("invoicing.catalog.verbs.create_meter", broken)
    caplog.handler.addFilter(NameRequest())
    api.http.raise_request_exception = False
    headers = {"Authorization": f"Bearer {api.key}", "X-Request-Id": "mine-1"}
    body = '{"name": "m", "meter_type": "COUNTER"}'
    response = api.http.post("/api/v1/meters", body, content_type="application/json", headers=headers)
    assert (response.status_code, response["X-Request-Id"]) == (500, "mine-1")
    assert [record.request_name for record in caplog.records] == [" [mine-1]"]
    logging.getLogger("tests").warning("outside")
    assert caplog.records[-1].request_name == ""
