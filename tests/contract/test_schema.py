"""The schema that is served is true of every answer: each operation is called and succeeds."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import requests
from django.db import connection
from django.utils import timezone

from billing_portal.api import examples
from customers.actors import STRIPE
from customers.events.dispatch import dispatch
from customers.models import Customer, Vendor
from invoicing.models import BillingCycle, Invoice, Payment, Subscription
from payments.sandbox.models import ApiKey
from payments.stripe.connect import attach
from payments.stripe.methods import credential, refresh
from tests.api.client import Api, answer
from tests.api.test_measurements import upload
from tests.contract.served_schema import operation_at, operations, validator
from tests.factories import InvoiceFactory, LineItemFactory, VendorFactory
from tests.sandbox_server import StripeSandbox

METER = {"name": "requests", "meter_type": "COUNTER"}
PRICES = {"scheme_type": "TIERED", "prices": [{"price": 7, "cap": 1000}, {"price": 5.5}]}
PLAN = {
    "name": "basic",
    "period": "month",
    "base_price": 9900,
    "tags": ["first"],
    "metered_components": [{"meter_name": "requests", "display_name": "API requests", "price_scheme": PRICES}],
}
ACME = {
    "name": "acme",
    "contact_info": {"email": "billing@acme.example.com", "city": "Springfield"},
    "tags": ["large"],
    "measurement_mappings": [{"label": "account", "value_regex": "acme"}],
    "autogenerate_payment_gateway_customer": True,
}
MEASUREMENT = {"meter_name": "requests", "value": 2.5, "customer_name": "acme", "labels": {"account": "acme"}}


class Documented(Api):
    """Sends only what the schema allows, each write twice under one key; every answer is checked by ``Api``."""

    def _send(self, method: str, path: str, body: Any, key: str | None = None) -> Any:
        content = operations()[operation_at(method, f"/api/v1{path}")].get("requestBody")
        if body is not None and content is not None:
            validator(content["content"]["application/json"]["schema"]).validate(json.loads(json.dumps(body)))
        key = str(uuid4())
        first, second = (super(Documented, self)._send(method, path, body, key) for _ in range(2))
        assert (first.status_code, first.content) == (second.status_code, second.content)
        assert second.headers["Idempotent-Replayed"] == "true"
        return first


@pytest.fixture
def api(stripe_sandbox: StripeSandbox, settings: Any) -> Documented:
    vendor: Vendor = VendorFactory.create()
    settings.STRIPE_TEST_PUBLISHABLE_KEY = "pk_test_1"
    settings.STRIPE_TEST_SECRET_KEY = stripe_sandbox.secret_key
    attach(vendor, stripe_sandbox.account, livemode=False, real_now=timezone.now())
    return Documented(vendor)


@pytest.fixture
def nobody_is_called_in_a_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    send = requests.Session.send

    def checked(session: requests.Session, prepared: requests.PreparedRequest, **options: Any) -> requests.Response:
        assert not connection.in_atomic_block, f"{prepared.url} is called in a transaction"
        return send(session, prepared, **options)

    monkeypatch.setattr(requests.Session, "send", checked)


@pytest.mark.usefixtures("nobody_is_called_in_a_transaction")
def test_every_operation_answers_as_documented(api: Documented, stripe_sandbox: StripeSandbox) -> None:
    """Each is called and succeeds; ``Api`` compares the answer with the schema, field by field.

    A handler that calls out, and does not say so in ``calls_out``, calls in a transaction once a key comes along.
    """
    _catalog(api)
    _customer(api, stripe_sandbox)
    _payment_methods(api, stripe_sandbox)
    _settings(api)
    _subscription(api)
    _usage(api)
    _invoices(api)
    _webhooks(api)
    _keys(api)
    _endings(api)
    assert set(operations()) - api.went_well == set()


def _catalog(api: Api) -> None:
    api.post("/meters", METER)
    api.get("/meters")
    api.get("/meters/requests")
    api.put("/meters/requests", {"display_name": "Requests", "description": "Each call counts."})
    api.post("/price_plans", PLAN)
    api.put("/price_plans/basic", {"base_price": 4900, "tags": []})
    api.get("/price_plans")
    api.get("/price_plans/basic")
    first = answer(api.get("/price_plans/basic/first"))["external_uuid"]
    api.get("/price_plans/paginate", {"names": ["basic"]})
    feature = {"name": "sso", "display_name": "Single sign-on"}
    api.post("/price_plans/update_in_place/basic", {"display_name": "Basic"})
    api.post("/price_plans/update_in_place/basic/first", {"description": "For most."})
    api.post(
        f"/price_plans/{first}/add_features", {"features": [feature], "limits": [{"feature": feature, "limit": 3}]}
    )
    api.post(f"/price_plans/{first}/remove_features", {"feature_names": []})
    api.post("/meters", {"name": "seats"})
    added = {"meter_name": "seats", "price_scheme": PRICES}
    plan = answer(api.post(f"/price_plans/{first}/add_metered_components", {"metered_components": [added]}))
    component = plan["metered_components"][-1]["external_uuid"]
    api.post(f"/price_plans/metered_components/{component}/update_limits", {"limit": 100, "label_limits": []})
    seats = {"feature": {"name": "places"}, "prices": [{"price": 1000}], "quantity_enabled": True, "limit": 9}
    api.post(f"/price_plans/{first}/add_add_ons", {"add_ons": [seats]})
    api.get("/features")


def _customer(api: Api, stripe_sandbox: StripeSandbox) -> None:
    api.post("/customers", ACME)
    api.get("/customers")
    api.get("/customers/acme")
    api.put("/customers/acme", {"display_name": "Acme Inc."})
    api.get("/customers/acme/status")
    made = answer(api.post("/customers/acme/mappings", {"label": "project"}))
    api.get("/customers/acme/mappings")
    api.delete(f"/customers/acme/mappings/{made['id']}")
    api.post("/customers/acme/metadata", [{"property": "tier", "value": "gold"}])
    api.get("/customers/acme/metadata")
    api.get("/customers/acme/payment_gateway_credentials")
    api.get("/customers/acme/payment_method_status")
    api.get("/payment_gateway_credentials")
    api.post("/customers", {"name": "globex"})
    theirs = stripe_sandbox.client().v1.customers.create({"name": "Globex"})
    api.post("/customers/globex/payment_gateway_credentials", {"account_id": theirs.id})
    api.delete("/customers/globex/payment_gateway_credentials")
    api.post("/customers/globex/payment_gateway_credentials/generation")


def _payment_methods(api: Api, stripe_sandbox: StripeSandbox) -> None:
    account = answer(api.get("/customers/acme/payment_gateway_credentials"))["account_id"]
    client = stripe_sandbox.client().v1
    cards = [client.payment_methods.attach(card, {"customer": account}).id for card in ("pm_card_visa", "pm_card_amex")]
    acme = credential(Customer.objects.of(api.vendor).get(name="acme"))
    assert acme is not None
    refresh(acme, actor=STRIPE, real_now=timezone.now())
    api.get("/customers/acme/payment_methods")
    api.post(f"/customers/acme/payment_methods/{cards[0]}/default")
    api.delete(f"/customers/acme/payment_methods/{cards[1]}")
    api.post("/customers/acme/setup_intent")
    api.post("/customers/acme/payment_method_link")
    api.post("/customers/acme/billing_portal_link")
    ApiKey.objects.create(secret="sk_test_the_vendors_own", account_id=stripe_sandbox.account)
    own = {"auth_token": "sk_test_the_vendors_own", "publishable_key": "pk_test_the_vendors_own"}
    api.post("/payment_gateway_credentials", own)
    api.post("/customers/acme/payment_gateway_credentials/sync")
    api.get("/customers/acme/payment_gateway_credentials/sync")
    api.get("/ecp/payment_method", {"customer_name": "acme"})
    api.get("/ecp/payment_method_status", {"customer_name": "acme"})
    api.post("/ecp/setup_intent", {"customer_name": "acme"})


def _settings(api: Api) -> None:
    api.post("/billing_settings", {"payment_grace_period_length": 2, "tax_rate": 7.5})
    api.put("/billing_settings", {"upcoming_reminder_days_array": [7, 1]})
    api.get("/billing_settings")
    api.delete("/billing_settings")
    api.get("/next_invoice_number")
    api.put("/next_invoice_number", {"next_number": 42})
    api.post("/customers/acme/billing_settings", {"charges_enabled": True, "customer_invoice_detail_level": "SUMMARY"})
    api.put("/customers/acme/billing_settings", {"charges_enabled": None, "days_until_due": 14})
    api.get("/customers/acme/billing_settings")
    api.delete("/customers/acme/billing_settings")


def _subscription(api: Api) -> None:
    api.post("/customers/acme/subscriptions", {"price_plan_name": "basic", "price_plan_tag": "first"})
    api.get("/customers/acme/subscriptions")
    api.get("/customers/acme/active_subscription")
    api.get("/invoices/upcoming")
    component = answer(api.get("/price_plans/basic/first"))["metered_components"][0]["external_uuid"]
    of_one = {"discount_type": "FLAT", "amount": 5, "scope": "METERED_COMPONENT", "metered_component_uuid": component}
    of_all = {"discount_type": "PERCENT", "amount": 10, "scope": "INVOICE_TOTAL"}
    api.post("/customers/acme/discounts", [of_all, of_one])
    [discount, *_] = answer(api.get("/customers/acme/active_subscription"))["discounts"]
    api.delete("/customers/acme/discounts", {"discount_uuid": discount["external_uuid"]})
    api.get("/customers/acme/features/sso")
    api.post("/customers/acme/subscription/add_ons", [{"feature_name": "places", "quantity": 2}])
    api.get("/customers/acme/active_subscription")
    api.put("/customers/acme/subscription/update_in_place", {"discounts": [of_all]})
    coupon = {"name": "spring", "frequency": "ONCE", "discount_type": "PERCENT", "discount_amount": 10}
    api.post("/coupons", coupon)
    api.get("/coupons")
    api.get("/coupons/spring")
    api.post("/coupons/apply_coupon", {"customer_name": "acme", "name": "spring"})
    api.delete("/coupons/spring")
    now = answer(api.get("/test_clock"))["now"]
    charge = {"charge_time": now, "item_name": "setup", "quantity": 1, "total_price": 500}
    made = answer(api.post("/customers/acme/adhoc_charges", charge))
    api.get("/customers/acme/adhoc_charges")
    api.get(f"/customers/acme/adhoc_charges/{made['uuid']}")
    api.delete(f"/customers/acme/adhoc_charges/{made['uuid']}")
    api.put("/customers/acme/subscription", {"price_plan_name": "basic", "at_cycle_end": True})
    api.get("/customers/acme/scheduled_subscriptions")
    api.get("/customers/acme/usage_across_meters/acme")
    api.get("/customers/acme/sample_invoice/acme")
    api.get(f"/customers/acme/sample_invoice/{answer(api.get('/test_clock'))['now']}/acme")


def _usage(api: Api) -> None:
    api.post("/measurements", MEASUREMENT)
    api.post("/measurements/multi", [{**MEASUREMENT, "id": "m-1", "time": "2026-03-01T12:00:00Z"}, MEASUREMENT])
    upload(api, examples.BODIES["send_measurements_file"], str(uuid4()))
    api.get("/live_measurements", {"limit": 2})
    api.get("/customers/acme/usage", {"meter_name": "requests"})
    for report in ("revenue", "accrued_revenue", "total_accrued_revenue", "daily_accrued_revenue"):
        api.get(f"/customers/acme/{report}")
    since = (datetime.fromisoformat(answer(api.get("/test_clock"))["now"]) - timedelta(days=1)).isoformat()
    api.post("/customers/acme/usage_by_time", {"meter_name": "requests", "start_time": since})
    api.post("/customers/acme/spend_by_time", {"start_time": since, "time_bucket": "day"})


def _invoices(api: Api) -> None:
    acme = Customer.objects.of(api.vendor).get(name="acme")
    paid, deleted, pushed = InvoiceFactory.create_batch(3, customer=acme, number="", issued_at=None, paid_at=None)
    line = LineItemFactory.create(invoice=paid)
    api.get("/invoices")
    api.get("/invoices", {"limit": 1})
    api.get(f"/invoices/{paid.uuid}")
    api.get(f"/invoices/{paid.uuid}/line_items/{line.uuid}/explanation")
    api.get(f"/invoices/{paid.uuid}/pdf")
    api.get(f"/customers/acme/invoice/{paid.uuid}/{paid.uuid}")
    api.get("/customers/acme/invoices")
    api.post(f"/invoices/{paid.uuid}/status", {"status": "INVOICE_PAID"})
    api.post(f"/invoices/{pushed.uuid}/retries")
    waiting = InvoiceFactory(customer=acme, is_approved=False)
    sent = InvoiceFactory(customer=acme, status="INVOICE_ISSUED", next_action="", next_action_at=None)
    api.post("/customers/acme/invoices", {"line_items": [{"name": "Workshop", "unit_price": 45000}]})
    api.post("/invoices/bulk", {"action": "approve", "invoice_ids": [str(waiting.uuid), str(paid.uuid)]})
    Invoice.objects.filter(pk=waiting.pk).update(is_approved=False)
    api.post(f"/invoices/{waiting.uuid}/pause", {"reason": "A question."})
    api.post(f"/invoices/{waiting.uuid}/resume")
    api.post(f"/invoices/{waiting.uuid}/approve")
    ended = Subscription.objects.of(api.vendor).get(customer=acme, expired_at=None).cycles.get(index=0)
    BillingCycle.objects.filter(pk=ended.pk).update(next_action="", next_action_at=None, ended_at=timezone.now())
    again = InvoiceFactory.create(customer=acme, number="", cycle=ended, subscription=ended.subscription)
    api.get(f"/invoices/{again.uuid}/regenerate")
    api.post(f"/invoices/{again.uuid}/regenerate")
    api.post(f"/invoices/{waiting.uuid}/due_date", {"due_date": None})
    api.post(f"/invoices/{sent.uuid}/payments", {"amount": 1, "method": "Bank transfer", "reference": "4711"})
    api.post(f"/invoices/{waiting.uuid}/void", {"reason": "A duplicate."})
    api.post(f"/invoices/{sent.uuid}/send")
    api.delete(f"/invoices/{deleted.uuid}")
    refunded = InvoiceFactory.create(
        customer=acme, number="INV-9", status="INVOICE_PAID", paid_at=timezone.now(), amount_due=500, amount_paid=500,
        gateway="stripe", external_invoice_id="in_1", next_action="", next_action_at=None,
    )  # fmt: skip
    Payment.objects.create(invoice=refunded, state="succeeded", amount=500, occurred_at=timezone.now())
    api.post("/refund", {"invoice_uuid": str(refunded.uuid), "amount": 200, "reason": "Too much"})
    api.post(f"/invoices/{refunded.uuid}/refund", {"amount": 100})
    api.get(f"/invoices/{refunded.uuid}")
    unpaid = InvoiceFactory.create(
        customer=acme, status="INVOICE_ISSUED", gateway="stripe", external_invoice_id="in_2", next_action=""
    )
    api.post(f"/invoices/{unpaid.uuid}/pay", {})


def _webhooks(api: Api) -> None:
    made = answer(api.post("/webhooks", {"url": "https://example.com/webhooks"}))
    api.get("/webhooks")
    api.get(f"/webhooks/{made['uuid']}")
    api.put(f"/webhooks/{made['uuid']}", {"description": "Our books"})
    api.post(f"/webhooks/{made['uuid']}/roll_secret")
    api.post(f"/webhooks/{made['uuid']}/test")
    dispatch(real_now=timezone.now())
    [delivery, *_] = answer(api.get(f"/webhooks/{made['uuid']}/deliveries"))["deliveries"]
    api.post(f"/webhooks/deliveries/{delivery['id']}/retries")
    api.delete(f"/webhooks/{made['uuid']}")


def _keys(api: Api) -> None:
    made = answer(api.post("/api_keys", {"name": "backend", "scope": "read"}))
    api.get("/api_keys", {"limit": 1})
    api.get(f"/api_keys/{made['uuid']}")
    api.post("/admin/api_key/roll", {"api_key": made["api_key"]})
    second = answer(api.post("/api_keys", {"name": "meters", "scope": "measurements"}))
    api.post(f"/api_keys/{second['uuid']}/roll", {})
    api.delete(f"/api_keys/{second['uuid']}")


def _endings(api: Api) -> None:
    now = datetime.fromisoformat(answer(api.get("/test_clock"))["now"])
    api.delete("/customers/acme/subscription")
    api.post("/test_clock", {"now": (now + timedelta(minutes=1)).isoformat()})
    for plan in ("spare", "useless"):
        api.post("/price_plans", {"name": plan, "period": "year"})
    api.post("/price_plans/spare/archive")
    api.delete("/price_plans/useless")
    api.post("/meters", {**METER, "name": "spare"})
    api.post("/meters/spare/archive")
    api.post("/meters/spare/unarchive")
    api.delete("/meters/spare")
    api.post("/customers", {"name": "initech"})
    api.delete("/customers/initech")
