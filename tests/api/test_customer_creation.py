"""POST /customers with everything at once: the customer, its plan, its counterpart in Stripe."""

import pytest
from django.utils import timezone

from customers.models import Customer, Event
from invoicing.models import Subscription
from payments.models import StripeCustomer
from payments.stripe.connect import attach
from tests.api.client import Api, answer, refusal
from tests.factories import PricePlanFactory
from tests.sandbox_server import StripeSandbox

ACME = {"name": "acme", "contact_info": {"email": "billing@acme.example.com"}}
WITH_STRIPE = {**ACME, "autogenerate_payment_gateway_customer": True}


def test_with_a_price_plan(api: Api, vendor) -> None:
    plan = PricePlanFactory(vendor=vendor, name="basic")
    answer(api.post("/customers", {**ACME, "price_plan_name": "basic"}))
    subscription = Subscription.objects.get()
    assert (subscription.customer.name, subscription.price_plan) == ("acme", plan)
    assert list(Event.objects.order_by("id").values_list("kind", flat=True)) == ["customer.new", "subscription.new"]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"price_plan_name": "nothing"}, "price_plan_name"),
        ({"price_plan_name": "basic", "price_plan_tag": "old"}, "price_plan_tag"),
    ],
)
def test_a_missing_plan_leaves_nothing_behind(api: Api, vendor, given, field) -> None:
    PricePlanFactory(vendor=vendor, name="basic")
    assert list(refusal(api.post("/customers", {**ACME, **given}), 422)) == [field]
    assert not Customer.objects.exists()
    assert not Event.objects.exists()


def test_another_vendors_plan_is_missing(api: Api, stranger: Api) -> None:
    PricePlanFactory(vendor=stranger.vendor, name="basic")
    refusal(api.post("/customers", {**ACME, "price_plan_name": "basic"}), 422)
    assert not Customer.objects.exists()


def test_without_a_connected_account_nothing_is_created(api: Api) -> None:
    errors = refusal(api.post("/customers", WITH_STRIPE), 422)
    assert list(errors) == ["autogenerate_payment_gateway_customer"]
    assert not Customer.objects.exists()


@pytest.fixture
def connected(stripe_sandbox: StripeSandbox, vendor, settings) -> StripeSandbox:
    settings.STRIPE_TEST_SECRET_KEY = stripe_sandbox.secret_key
    attach(vendor, stripe_sandbox.account, livemode=False, real_now=timezone.now())
    return stripe_sandbox


def test_the_stripe_customer_exists_when_the_answer_arrives(connected: StripeSandbox, api: Api) -> None:
    body = answer(api.post("/customers", WITH_STRIPE))
    made = body["payment_gateway_customer"]
    assert (made["state"], made["problem"]) == ("linked", None)
    assert connected.client().v1.customers.retrieve(made["account_id"]).email == "billing@acme.example.com"
    assert answer(api.get("/customers/acme/payment_gateway_credentials"))["account_id"] == made["account_id"]


def test_out_of_reach_the_customer_is_kept_and_marked(connected: StripeSandbox, api: Api, settings) -> None:
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    body = answer(api.post("/customers", WITH_STRIPE))
    made = body["payment_gateway_customer"]
    assert (made["state"], made["account_id"]) == ("pending", None)
    assert made["problem"]
    assert StripeCustomer.objects.get().customer.name == "acme"
    refusal(api.get("/customers/acme/payment_gateway_credentials"), 404)
