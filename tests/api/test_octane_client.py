"""The published ``octane`` client library, unmodified, against the live server."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

if sys.version_info >= (3, 12):
    pytest.skip("the library's own copy of six cannot be imported by this Python", allow_module_level=True)

import octane
from django.utils import timezone

from billing_portal.accounts.models import ApiKey
from customers.models import Vendor
from invoicing.models import Measurement
from payments.sandbox.models import ApiKey as StripeKey
from payments.stripe.connect import attach
from tests.api.octane_library import offered, used
from tests.factories import CustomerFactory, InvoiceFactory, VendorFactory
from tests.sandbox_server import StripeSandbox


@pytest.fixture(params=["/api/v1", ""], ids=["below /api/v1", "at the root"])
def vendor(request, live_server, monkeypatch) -> Iterator[Vendor]:
    """The client is told an address and a key, as an existing integration would tell it."""
    vendor = VendorFactory()
    _, key = ApiKey.issue(vendor, "integration", now=timezone.now())
    http = octane.http_client.RequestsClient()
    monkeypatch.setattr(octane, "api_base", live_server.url + request.param)
    monkeypatch.setattr(octane, "api_key", key)
    monkeypatch.setattr(octane, "default_http_client", http)
    yield vendor
    http.close()


def get(path: str, **params: Any) -> Any:
    """What the library has no class for."""
    response, _ = octane.api_requestor.APIRequestor().request("get", path, params)
    return response.data


def test_from_a_meter_to_an_invoice(vendor: Vendor) -> None:
    meter = octane.Meter.create(name="requests", display_name="Requests", meter_type="COUNTER", unit_name="request")
    assert (meter.name, meter.meter_type) == ("requests", "COUNTER")
    plan = octane.PricePlan.create(
        name="standard",
        display_name="Standard",
        period="month",
        base_price=9900,
        metered_components=[
            {
                "meter_name": "requests",
                "display_name": "API requests",
                "price_scheme": {"scheme_type": "FLAT", "prices": [{"price": 7}]},
            }
        ],
    )
    assert plan.base_price == 9900
    customer = octane.Customer.create(
        name="acme",
        display_name="Acme Inc.",
        contact_info={"email": "billing@acme.example.com"},
        measurement_mappings=[{"label": "account", "value_regex": "acme-.*"}],
    )
    assert customer.display_name == "Acme Inc."
    start = timezone.now() - timedelta(days=3)
    subscription = octane.Customer.create_subscription(
        "acme", price_plan_name="standard", effective_at=start.isoformat()
    )
    assert subscription.customer_name == "acme"
    _measure(start)
    assert Measurement.objects.count() == 1_000
    assert _used(start) == 1_000
    octane.Measurement.create(meter_name="requests", customer_name="acme", value=5)
    assert _used(start) == 1_005
    InvoiceFactory(customer=_row(vendor), amount_due=12_345, sub_total=12_345)
    (invoice,) = get("/invoices/", customer_name="acme")["invoices"]
    assert (invoice["customer_name"], invoice["amount_due"]) == ("acme", 12_345)


def _row(vendor: Vendor) -> Any:
    from customers.models import Customer

    return Customer.objects.of(vendor).get(name="acme")


def _measure(start: datetime) -> None:
    """1,000 units, half by name and half by the mapping."""
    measurements = [
        {
            "meter_name": "requests",
            "value": 1,
            "time": (start + timedelta(seconds=number)).isoformat(),
            **({"customer_name": "acme"} if number % 2 else {"labels": {"account": f"acme-{number}"}}),
        }
        for number in range(1_000)
    ]
    answer = octane.Measurement.create_multi(measurements=measurements)
    assert len(answer) == 1_000


def _used(start: datetime) -> float:
    end = timezone.now() + timedelta(days=1)
    customer = octane.Customer.retrieve("acme")
    return customer.usage(meter_name="requests", start_time=start.isoformat(), end_time=end.isoformat())["usage"]


def test_customers(vendor: Vendor) -> None:
    octane.Customer.create(name="acme")
    octane.Customer.modify("acme", display_name="Acme Inc.")
    customer = octane.Customer.retrieve("acme")
    assert customer.display_name == "Acme Inc."
    customer.display_name = "Acme"
    customer.save()
    assert [row.display_name for row in octane.Customer.list()] == ["Acme"]
    octane.Customer.create_mapping("acme", label="account", value_regex="a.*")
    (mapping,) = octane.Customer.list_mappings("acme")
    octane.Customer.delete_mapping("acme", str(mapping.id))
    assert octane.Customer.list_mappings("acme") == []
    octane.Customer.delete("acme")
    octane.Customer.create(name="Acme & Sons (North)")
    octane.Customer.retrieve("Acme & Sons (North)").delete()
    assert octane.Customer.list() == []


def test_only_the_vendors_own(vendor: Vendor) -> None:
    CustomerFactory(name="others")
    assert octane.Customer.list() == []
    with pytest.raises(octane.error.APIError) as refused:
        octane.Customer.retrieve("others")
    assert refused.value.http_status == 404


@pytest.mark.parametrize(
    ("call", "code", "field"),
    [
        (lambda: octane.Customer.create(name="acme", dispaly_name="A"), 422, "dispaly_name"),
        (lambda: octane.Customer.create(), 422, "name"),
        (lambda: octane.Customer.retrieve("nobody"), 404, "kind"),
        (lambda: octane.Meter.create(name="requests", meter_type="THERMOMETER"), 422, "meter_type"),
        (lambda: octane.Measurement.create(meter_name="requests", customer_name="acme"), 422, "value"),
        (
            lambda: octane.PricePlan.create(name="p", period="month", metered_components=[{"meter_name": "none"}]),
            422,
            "metered_components.0.meter_name",
        ),
    ],
)
def test_refusals_are_what_integrations_catch(vendor: Vendor, call, code: int, field: str) -> None:
    with pytest.raises(octane.error.APIError) as refused:
        call()
    assert type(refused.value) is octane.error.APIError
    assert refused.value.http_status == code
    assert refused.value.json_body["code"] == code
    assert field in refused.value.json_body["errors"]


def test_meters_and_price_plans_change_and_go(vendor: Vendor) -> None:
    octane.Meter.create(name="requests", meter_type="COUNTER")
    octane.Meter.modify("requests", display_name="Requests")
    meter = octane.Meter.retrieve("requests")
    meter.description = "Each call counts."
    meter.save()
    assert [(row.display_name, row.description) for row in octane.Meter.list()] == [("Requests", "Each call counts.")]
    assert len(octane.Meter.list(names=["requests", "others"])) == 1
    octane.Meter.delete("requests")
    assert octane.Meter.list(names=["requests", "others"], limit=5) == []
    octane.PricePlan.create(name="basic", period="month", base_price=100)
    octane.PricePlan.modify("basic", base_price=200)
    plan = octane.PricePlan.retrieve("basic")
    assert (plan.base_price, plan.version) == (200, 2)
    plan.description = "For teams."
    plan.save()
    assert [row.description for row in octane.PricePlan.list()] == ["For teams."]
    octane.PricePlan.delete("basic")
    assert octane.PricePlan.list() == []


def test_revenue_is_a_plain_get(vendor: Vendor) -> None:
    customer = CustomerFactory(vendor=vendor, name="acme")
    InvoiceFactory(customer=customer, amount_due=4200, sub_total=4200, status="INVOICE_ISSUED")
    window = {"start_time": "2026-01-01T00:00:00Z", "end_time": "2026-12-31T00:00:00Z"}
    assert octane.Customer.retrieve("acme").revenue(**window)["revenue"] == 4200


@pytest.fixture
def connected(vendor: Vendor, stripe_sandbox: StripeSandbox, settings) -> StripeSandbox:
    settings.STRIPE_TEST_SECRET_KEY = stripe_sandbox.secret_key
    attach(vendor, stripe_sandbox.account, livemode=False, real_now=timezone.now())
    return stripe_sandbox


def test_a_stripe_customer_is_linked(connected: StripeSandbox) -> None:
    octane.Customer.create(name="acme")
    theirs = connected.client().v1.customers.create({"name": "Acme"})
    linked = octane.Customer.create_payment_gateway_credential("acme", payment_gateway="STRIPE", account_id=theirs.id)
    assert linked.account_id == theirs.id
    assert get("/payment_gateway_credentials/")["account_id"] == connected.account


def test_what_a_key_may_not_do_and_what_is_not_built(vendor: Vendor, monkeypatch) -> None:
    """Each comes out as the error that integrations catch, and is not tried again."""
    naps: list[float] = []
    monkeypatch.setattr(octane.http_client.time, "sleep", naps.append)
    ApiKey.objects.update(scope="read")
    with pytest.raises(octane.error.APIError) as forbidden:
        octane.Customer.create(name="acme")
    with pytest.raises(octane.error.APIError) as not_built:
        get("/credits/grant/")
    with pytest.raises(octane.error.APIError) as in_no_specification:
        octane.PriceList.list()
    found = [error.value for error in (forbidden, not_built, in_no_specification)]
    assert [type(error) for error in found] == [octane.error.APIError] * 3
    assert [(error.http_status, error.json_body["errors"]["kind"]) for error in found] == [
        (403, "permission_denied"),
        (501, "not_built"),
        (404, "not_found"),
    ]
    assert naps == []


def test_nothing_that_the_library_offers_is_left_out(connected: StripeSandbox, vendor: Vendor) -> None:
    """Each method of each of its classes is called, as they are read from the library itself."""
    with used() as found:
        _catalog_through_the_library()
        _customer_through_the_library(connected)
        _what_cannot_be_had()
    assert set(offered()) - found == set()
    assert len(found) >= 55


def _catalog_through_the_library() -> None:
    for resource, given in ((octane.Meter, {"meter_type": "COUNTER"}), (octane.PricePlan, {"period": "month"})):
        assert resource.create(name="first", **given).name == "first"
        assert resource.modify("first", description="One.").description == "One."
        one = resource.retrieve("first")
        one.description = "The first."
        assert one.save().description == "The first."
        assert one.refresh().description == "The first."
        assert [row.name for row in resource.list()] == ["first"]
        assert one.delete() is one
        resource.create(name="second", **given)
        assert resource.delete("second") == {}
        assert resource.list() == []


def _customer_through_the_library(stripe: StripeSandbox) -> None:
    StripeKey.objects.create(secret="sk_test_own", account_id=stripe.account)
    ours = octane.PaymentGatewayCredential.create(payment_gateway="STRIPE", auth_token="sk_test_own")
    assert ours.account_id == stripe.account
    octane.Meter.create(name="requests", meter_type="COUNTER")
    octane.PricePlan.create(name="basic", period="month")
    acme = octane.Customer.retrieve(octane.Customer.create(name="acme").name)
    octane.Customer.create_subscription("acme", price_plan_name="basic")
    octane.Measurement.create(meter_name="requests", customer_name="acme", value=2)
    octane.Measurement.create_multi(measurements=[{"meter_name": "requests", "customer_name": "acme", "value": 3}])
    assert octane.Customer.usage("acme", meter_name="requests")["usage"] == 5
    assert acme.usage(meter_name="requests")["usage"] == 5
    assert octane.Customer.revenue("acme")["revenue"] == 0
    assert octane.Customer.retrieve("acme").revenue()["revenue"] == 0
    mapping = octane.Customer.create_mapping("acme", label="account", value_regex="a.*")
    assert [row.id for row in octane.Customer.list_mappings("acme")] == [mapping.id]
    octane.Customer.delete_mapping("acme", str(mapping.id))
    theirs = stripe.client().v1.customers.create({"name": "Acme"})
    octane.Customer.create_payment_gateway_credential("acme", account_id=theirs.id, payment_gateway="STRIPE")
    assert octane.Customer.modify("acme", display_name="Acme Inc.").display_name == "Acme Inc."
    acme = octane.Customer.retrieve("acme")
    acme.display_name = "Acme"
    assert acme.save().refresh().display_name == "Acme"
    octane.Customer.create(name="globex")
    assert octane.Customer.retrieve("globex").delete() is not None
    octane.Customer.create(name="initech")
    assert octane.Customer.delete("initech") == {}
    assert [row.name for row in octane.Customer.list()] == ["acme"]


def _what_cannot_be_had() -> None:
    """What no server of theirs had either, and what the library itself refuses to do."""
    _found_nowhere()
    with pytest.raises(octane.error.InvalidRequestError):
        octane.PaymentGatewayCredential().refresh()
    for refuses in (octane.Mapping, octane.Subscription, octane.PaymentGatewayCredential):
        with pytest.raises(NotImplementedError):
            refuses.retrieve("x")
    for refused in (octane.Mapping.create, octane.Mapping.list, octane.Subscription.create):
        with pytest.raises(NotImplementedError):
            refused("x")
    with pytest.raises(TypeError):
        octane.Mapping.auto_paging_iter()
    # Lists are plain arrays, which the library reads, and which know of no pages.
    for resource in (octane.Customer, octane.Meter, octane.PricePlan):
        with pytest.raises(AttributeError):
            resource.auto_paging_iter()


def _found_nowhere() -> None:
    lists, price = octane.PriceList, octane.PriceList("x")
    price.description = "Prices."
    calls = [lists.create, lists.list, lists.auto_paging_iter, price.save, price.refresh, price.delete]
    calls += [lambda: lists.retrieve("x"), lambda: lists.modify("x", description="y"), lambda: lists.delete("x")]
    calls += [lambda: octane.Measurement.retrieve("x"), lambda: octane.Mapping.delete("x")]
    calls += [octane.Mapping("x").delete, octane.Mapping("x").refresh, octane.Subscription("x").refresh]
    for call in calls:
        with pytest.raises(octane.error.APIError) as refused:
            call()
        assert (refused.value.http_status, refused.value.json_body["errors"]) == (404, {"kind": "not_found"})


def test_too_many_requests(vendor: Vendor, monkeypatch, settings) -> None:
    settings.API_REQUESTS_PER_MINUTE = 1
    with pytest.raises(octane.error.APIError) as refused:
        _ask_often()
    assert type(refused.value) is octane.error.APIError
    assert (refused.value.http_status, refused.value.json_body["code"]) == (429, 429)


def _ask_often() -> None:
    """The minute may turn in between."""
    for _ in range(3):
        octane.Meter.list()


def test_a_wrong_key(vendor: Vendor, monkeypatch) -> None:
    monkeypatch.setattr(octane, "api_key", "bp_wrong")
    with pytest.raises(octane.error.APIError) as refused:
        octane.Customer.list()
    assert refused.value.http_status == 401


def test_a_conflict_is_not_tried_again(vendor: Vendor, monkeypatch) -> None:
    InvoiceFactory(customer=CustomerFactory(vendor=vendor, name="acme"))
    naps: list[float] = []
    monkeypatch.setattr(octane.http_client.time, "sleep", naps.append)
    with pytest.raises(octane.error.APIError) as refused:
        octane.Customer.delete("acme")
    assert refused.value.http_status == 409
    assert naps == []
