"""Which operation is in which state, and that those which are not built say so."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from billing_portal.api import not_built
from customers.models import Customer
from tests.api.client import Api, refusal
from tests.contract.octane_surface import surface
from tests.contract.operation_states import COMMAND, FILE, MISSING, NOT_BUILT, in_state, spelt, table, written
from tests.factories import VendorFactory

# It only ever falls: whoever builds an operation lowers it.
MISSING_AT_MOST = 0

# What is left out of this product as yet: taxes by Avalara, accounting systems, prepaid credits and topping them off,
# revenue recognition, spend thresholds, the portal for customers and signing up without an operator.
LEFT_OUT = re.compile(
    r"/avalara/|/accounting\b|^/credits/|/credit_balance$|/credit_top_off_plan\b|^/recognized_revenue/"
    r"|/spend_thresholds?\b|^/ecp/|^/customer_portal_settings/|/self_serve\b|^/self_serve_settings/"
)
# Of the portal for customers these serve whoever takes a customer's card on a page of their own.
BUILT_ALL_THE_SAME = {"/ecp/payment_method", "/ecp/payment_method_status", "/ecp/setup_intent"}


def test_the_table_in_the_repository_is_up_to_date() -> None:
    assert FILE.read_text() == written(), f"Run: {COMMAND}"


def test_every_operation_of_existing_clients_is_in_the_table() -> None:
    listed = {(row["method"], row["path"]) for row in table()}
    assert {(one["method"], one["path"]) for one in surface()["operations"]} <= listed


def test_fewer_and_fewer_are_missing() -> None:
    missing = [f"{row['method']} {row['path']}" for row in in_state(MISSING)]
    assert len(missing) <= MISSING_AT_MOST, missing


def test_only_what_is_left_out_is_not_built() -> None:
    not_built_yet = {(row["method"], row["path"]) for row in in_state(NOT_BUILT)}
    known = {(one["method"], one["path"]) for one in surface()["operations"]}
    left_out = {found for found in known if LEFT_OUT.search(found[1]) and found[1] not in BUILT_ALL_THE_SAME}
    assert not_built_yet == left_out


def test_nothing_is_said_not_to_be_built_that_no_client_knows() -> None:
    said = sum(len(methods.split()) for methods, _ in not_built.ROUTES.values())
    assert said == len(list(in_state(NOT_BUILT)))


@pytest.mark.django_db
def test_what_is_not_built_says_so_to_whoever_has_a_key() -> None:
    api, nobody = Api(VendorFactory.create()), Client()
    for row in in_state(NOT_BUILT):
        path, method = spelt(row["path"]).removeprefix("/api/v1"), row["method"].lower()
        response = getattr(api, method)(path)
        assert refusal(response, 501) == {"kind": "not_built"}, row
        assert response["octane-should-retry"] == "false", "the client library would try twice more"
        assert refusal(getattr(nobody, method)(f"/api/v1{path}"), 401) == {"kind": "not_authenticated"}
    assert not Customer.objects.exists()


@pytest.mark.django_db
def test_a_method_that_no_client_knows() -> None:
    refusal(Api(VendorFactory.create()).put("/credits/grant"), 405)
