from dataclasses import replace
from datetime import UTC, datetime

import pytest

from billing_portal.accounts.models import ApiKey, Operator
from billing_portal.bootstrap import Request, bootstrap
from billing_portal.demo.company import NAME as DEMO
from customers.models import Vendor
from payments.models import StripeConnection
from payments.sandbox.models import StoredObject
from tests.factories import CustomerFactory

NOW = datetime(2026, 3, 1, tzinfo=UTC)
REQUEST = Request("a-long-password", "bp_key", "http://127.0.0.1:1/webhooks/stripe/")

pytestmark = pytest.mark.django_db


def test_makes_a_vendor_whose_clock_moves_its_owner_a_key_and_an_account() -> None:
    result = bootstrap(REQUEST, real_now=NOW)
    vendor = Vendor.objects.get(name=result.vendor)
    assert vendor.is_test
    assert Operator.objects.get(email=result.operator).memberships.get().vendor == vendor
    assert ApiKey.objects.of(vendor).count() == 1
    assert StripeConnection.objects.of(vendor).get().account_id == result.account
    assert result.password_holds


def test_a_second_run_changes_nothing() -> None:
    assert bootstrap(REQUEST, real_now=NOW) == bootstrap(REQUEST, real_now=NOW)
    models = (Vendor, Operator, ApiKey, StripeConnection)
    assert [model._default_manager.count() for model in models] == [1, 1, 1, 1]


def test_the_sandboxes_webhooks_follow_the_portals_address() -> None:
    first = bootstrap(REQUEST, real_now=NOW)
    second = bootstrap(replace(REQUEST, webhook_url="http://127.0.0.1:2/webhooks/stripe/"), real_now=NOW)
    assert second.account == first.account
    endpoint = StoredObject.objects.get(object="webhook_endpoint")
    assert endpoint.data["url"] == "http://127.0.0.1:2/webhooks/stripe/"


def test_a_password_that_a_person_changed_stays() -> None:
    bootstrap(REQUEST, real_now=NOW)
    operator = Operator.objects.get()
    operator.set_password("my own choice")
    operator.save()
    assert not bootstrap(REQUEST, real_now=NOW).password_holds
    operator.refresh_from_db()
    assert operator.check_password("my own choice")


def test_a_new_folder_on_an_old_database_gets_its_own_key() -> None:
    bootstrap(REQUEST, real_now=NOW)
    bootstrap(replace(REQUEST, api_key="bp_other"), real_now=NOW)
    assert ApiKey.objects.count() == 2


def test_the_demonstrations_vendor_takes_the_place_of_an_unused_one_only() -> None:
    bootstrap(REQUEST, real_now=NOW)
    demo = replace(REQUEST, demo=True)
    assert bootstrap(demo, real_now=NOW).vendor == DEMO
    assert bootstrap(demo, real_now=NOW).vendor == DEMO
    assert Vendor.objects.get().address_lines


def test_a_vendor_in_use_does_not_become_the_demonstrations() -> None:
    mine = bootstrap(REQUEST, real_now=NOW).vendor
    CustomerFactory(vendor=Vendor.objects.get(name=mine))
    assert bootstrap(replace(REQUEST, demo=True), real_now=NOW).vendor == mine
