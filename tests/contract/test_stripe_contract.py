"""The contract checker finds what is wrong and leaves alone what is right."""

import pytest
import stripe

from tests.contract.command import main
from tests.contract.stripe_contract import (
    check_exchange,
    check_headers,
    check_object,
    check_request,
    check_response,
    endpoints,
    extra_fields,
    sample,
)


def kinds(findings: list[str]) -> list[str]:
    return [line[1 : line.index("]")] for line in findings]


def test_it_knows_the_sdks_endpoints():
    known = {(e.method, e.template) for e in endpoints()}
    assert {("post", "/v1/invoices/{invoice}/add_lines"), ("post", "/oauth/token")} <= known
    assert len(known) > 500


@pytest.mark.parametrize(
    ("method", "path", "params"),
    [
        ("post", "/v1/invoices", "customer=cus_1&auto_advance=false&metadata[a]=b"),
        ("post", "/v1/invoices/in_1/add_lines", "lines[0][amount]=5&lines[1][amount]=-7"),
        ("get", "/v1/customers?limit=3&expand[]=data.invoice_settings.default_payment_method", None),
        ("post", "/v1/customers", {"email": "a@example.com", "balance": 5}),
    ],
)
def test_good_requests_pass(method, path, params):
    assert check_request(method, path, params) == []


@pytest.mark.parametrize(
    ("method", "path", "params", "kind"),
    [
        ("post", "/v1/invoices", "custommer=cus_1", "unknown_param"),
        ("post", "/v1/refunds", "amount=five", "type"),
        ("post", "/v1/invoices", "auto_advance=True", "type"),
        ("post", "/v1/invoices/in_1/add_lines", "lines[1][amount]=5", "form"),
        ("post", "/v1/invoices/in_1/add_lines", "", "missing_param"),
        ("post", "/v1/customers", "metadata[" + "k" * 41 + "]=v", "limit"),
        ("get", "/v1/invoices?expand[]=currency", None, "expand"),
        ("get", "/v1/invoices/in_1?expand[]=a.b.c.d.e", None, "expand"),
        ("patch", "/v1/invoices/in_1", None, "endpoint"),
        ("post", "/v1/customers", {"preferred_locales": []}, "dropped"),
        ("post", "/v1/invoices/in_1/add_lines", {"lines": [{"amount": 1.5}]}, "type"),
    ],
)
def test_bad_requests_are_found(method, path, params, kind):
    assert kind in kinds(check_request(method, path, params))


def test_the_smallest_answer_passes_and_each_lost_field_is_found():
    smallest = sample("get", "/v1/invoices/in_1")
    assert check_response("get", "/v1/invoices/in_1", smallest) == []
    for name in smallest:
        if name not in ("object", "deleted"):
            without = {key: value for key, value in smallest.items() if key != name}
            assert kinds(check_response("get", "/v1/invoices/in_1", without)) == ["missing"], name


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"amount_due": "5"}, "type"),
        ({"amount_due": None}, "null"),
        ({"status": "settled"}, "open_enum"),
        ({"lines": []}, "type"),
        ({"object": "invoices"}, "enum"),
    ],
)
def test_wrong_answers_are_found(change, kind):
    answer = {**sample("get", "/v1/invoices/in_1"), **change}
    assert kind in kinds(check_response("get", "/v1/invoices/in_1", answer))


def test_fields_the_sdk_does_not_know_are_named():
    answer = {**sample("get", "/v1/invoices/in_1"), "colour": "red"}
    assert "colour" in extra_fields("get", "/v1/invoices/in_1", answer)[0]


def test_an_exchange_must_expand_what_was_asked_for_and_keep_the_limit():
    invoice = {**sample("get", "/v1/invoices/in_1"), "customer": "cus_1"}
    record = {"method": "get", "path": "/v1/invoices/in_1?expand[]=customer", "status": 200, "response": invoice}
    assert kinds(check_exchange(record).strings()) == ["not_expanded"]
    page = {"object": "list", "url": "/v1/invoices", "has_more": False, "data": [invoice, invoice]}
    listed = {"method": "get", "path": "/v1/invoices?limit=1", "status": 200, "response": page}
    assert kinds(check_exchange(listed).strings()) == ["list"]


def test_events_are_checked_with_the_object_inside():
    event = {
        **sample("get", "/v1/events/evt_1"),
        "api_version": stripe.api_version,
        "data": {"object": {**sample("get", "/v1/refunds/re_1"), "amount": "5"}},
    }
    assert kinds(check_object(event).strings()) == ["type"]
    assert "event_version" in kinds(check_object({**event, "api_version": "2020-08-27"}).strings())


def test_headers_are_checked():
    good = {"Stripe-Version": stripe.api_version, "Idempotency-Key": "k", "Stripe-Account": "acct_1"}
    assert check_headers("post", good) == []
    bad = {"Stripe-Version": "2020-08-27", "Stripe-Account": "1", "Content-Type": "application/json"}
    assert len(check_headers("post", bad)) == 4


def test_errors_are_checked_too():
    error = {"error": {"type": "card_error", "message": 5}}
    assert "type" in kinds(check_response("post", "/v1/refunds", error, 402))
    assert "status" in kinds(check_response("post", "/v1/refunds", error, 200))
    assert kinds(check_response("post", "/v1/refunds", {}, 400)) == ["missing"]


def test_it_understands_every_annotation_of_the_installed_sdk():
    assert main(["--self-test"]) == 0
