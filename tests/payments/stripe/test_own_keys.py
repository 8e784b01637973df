"""A vendor that uses its own keys, and webhook endpoints that are registered from here."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection as database
from django.utils import timezone

from customers.errors import Busy, Conflict, Invalid
from customers.models import Vendor
from payments.models import StripeConnection, StripeEvent, StripeWebhookSecret
from payments.sandbox.models import ApiKey, StoredObject
from payments.stripe import connect, customers, endpoints, oauth, signature
from payments.stripe.client import API_VERSION, client_for
from payments.stripe.handlers import SUBSCRIBED
from payments.stripe.own_keys import Entered, connect_with
from tests.factories import CustomerFactory, VendorFactory
from tests.payments.stripe.conftest import OPERATOR, an_event, post
from tests.sandbox_server import StripeSandbox

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls("payments.stripe.urls")]

OWN = "sk_test_ownKeyOfTheAccount1234"
KEYS = Entered(OWN, "pk_test_own", "whsec_own")


@pytest.fixture
def vendor(stripe_sandbox: StripeSandbox) -> Vendor:
    ApiKey.objects.create(secret=OWN, account_id=stripe_sandbox.account)
    made: Vendor = VendorFactory()
    return made


def entered(vendor: Vendor, keys: Entered = KEYS, *, livemode: bool = False) -> StripeConnection:
    return connect_with(vendor, keys, livemode=livemode, actor=OPERATOR, real_now=timezone.now())


def test_the_vendors_own_key_acts_without_a_platform(vendor: Vendor, stripe_sandbox: StripeSandbox) -> None:
    connection = entered(vendor)
    assert (connection.account_id, connection.account_name) == (stripe_sandbox.account, "Sandbox test account")
    assert connect.connection_of(vendor) == connection
    row = customers.generate(CustomerFactory(vendor=vendor), actor=OPERATOR, real_now=timezone.now())
    assert row.state == "linked"
    for exchange in stripe_sandbox.traffic.exchanges:
        headers = {name.lower(): value for name, value in exchange["headers"].items()}
        assert headers["authorization"] == f"Bearer {OWN}"
        assert "stripe-account" not in headers
    assert client_for(connection).retrieve_account()["id"] == stripe_sandbox.account


def test_keys_are_encrypted_at_rest(vendor: Vendor) -> None:
    connection = entered(vendor)
    with database.cursor() as cursor:
        cursor.execute("SELECT secret_key FROM payments_stripeconnection")
        [(key,)] = cursor.fetchall()
        cursor.execute("SELECT secret FROM payments_stripewebhooksecret")
        [(secret,)] = cursor.fetchall()
    assert OWN not in key
    assert "whsec" not in secret
    assert connection.key_hint == "sk_test_…1234"


@pytest.mark.parametrize(
    ("keys", "livemode", "field", "says"),
    [
        (Entered("sk_live_x", "pk_test_x"), False, "secret_key", "sk_test_ or rk_test_"),
        (Entered("sk_test_x", "pk_live_x"), False, "publishable_key", "pk_test_"),
        (Entered("rk_test_x", "pk_live_x"), True, "secret_key", "sk_live_"),
        (Entered(OWN, "pk_test_x", "secret"), False, "webhook_secret", "whsec_"),
        (Entered("sk_test_unknown", "pk_test_x"), False, "secret_key", "does not know this secret key"),
    ],
)
def test_keys_that_do_not_fit_are_refused(vendor: Vendor, keys: Entered, livemode: bool, field: str, says: str) -> None:
    with pytest.raises(Invalid) as refused:
        entered(vendor, keys, livemode=livemode)
    assert list(refused.value.errors) == [field]
    assert says in refused.value.errors[field][0]
    assert not StripeConnection.objects.exists()


def test_out_of_reach_nothing_is_saved(vendor: Vendor, settings: Any) -> None:
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    with pytest.raises(Busy, match="Nothing was saved"):
        entered(vendor)
    assert not StripeConnection.objects.exists()


def test_an_account_connected_elsewhere_is_refused_with_its_secrets(vendor: Vendor) -> None:
    entered(VendorFactory())
    with pytest.raises(Conflict, match="another vendor"):
        entered(vendor)
    assert StripeWebhookSecret.objects.count() == 1


def test_a_key_that_was_rolled_ends_the_connection_and_a_new_one_mends_it(vendor: Vendor) -> None:
    connection = entered(vendor)
    ApiKey.objects.filter(secret=OWN).update(secret="sk_test_rolled0000")
    row = customers.generate(CustomerFactory(vendor=vendor), actor=OPERATOR, real_now=timezone.now())
    assert (row.state, "rolled or deleted" in row.last_error) == ("pending", True)
    ended = StripeConnection.objects.get()
    assert (ended.is_connected, ended.secret_key, ended.is_notice_due) == (False, "", True)
    again = entered(vendor, Entered("sk_test_rolled0000", "pk_test_own"))
    assert (again.pk, again.is_active) == (connection.pk, True)
    customers.retry_pending(real_now=timezone.now() + timedelta(hours=1))
    row.refresh_from_db()
    assert row.state == "linked"


def test_its_events_name_no_account_and_vouch_for_no_other(vendor: Vendor, settings: Any) -> None:
    settings.STRIPE_WEBHOOK_SECRETS = ["whsec_platform"]
    connection = entered(vendor)
    event = an_event(connection.account_id)
    del event["account"]
    assert post(event, secret="whsec_own").status_code == 200
    assert StripeEvent.objects.get().account_id == connection.account_id
    assert post(an_event("acct_other"), secret="whsec_own").status_code == 400
    assert post({**event, "id": "evt_2"}, secret="whsec_platform").status_code == 200
    assert "names no connected account" in StripeEvent.objects.latest("pk").reason
    oauth.disconnect(connection, actor=OPERATOR, real_now=timezone.now())
    assert post({**event, "id": "evt_3"}, secret="whsec_own").status_code == 400
    assert StripeConnection.objects.get().secret_key == ""


def test_a_secret_that_was_replaced_is_good_for_a_day(vendor: Vendor) -> None:
    connection = entered(vendor)
    entered(vendor, Entered(OWN, "pk_test_own", "whsec_new"))
    event = an_event(connection.account_id)
    assert post({**event, "id": "evt_1"}, secret="whsec_own").status_code == 200
    assert post({**event, "id": "evt_2"}, secret="whsec_new").status_code == 200
    StripeWebhookSecret.objects.exclude(valid_until=None).update(valid_until=timezone.now())
    assert post({**event, "id": "evt_3"}, secret="whsec_own").status_code == 400
    assert post({**event, "id": "evt_4"}, secret="whsec_new").status_code == 200


# Webhook endpoints


@pytest.fixture
def platform(stripe_sandbox: StripeSandbox, settings: Any) -> StripeSandbox:
    settings.STRIPE_TEST_SECRET_KEY = stripe_sandbox.secret_key
    settings.STRIPE_WEBHOOK_SECRETS = ["whsec_environment"]
    settings.PUBLIC_URL = "https://portal.example"
    StoredObject.objects.filter(object="webhook_endpoint").update(status="disabled")
    return stripe_sandbox


def at_stripe() -> list[dict[str, Any]]:
    rows = StoredObject.objects.filter(object="webhook_endpoint", status="enabled").order_by("pk")
    return [{**row.data, "connect": row.hidden["connect"]} for row in rows]


def register(connection: StripeConnection | None = None, **options: Any) -> StripeWebhookSecret:
    now = options.pop("real_now", timezone.now())
    return endpoints.register(connection, livemode=False, actor=OPERATOR, real_now=now, **options)


def test_a_platforms_endpoint_is_registered_once_and_rotated(platform: StripeSandbox) -> None:
    connect.attach(VendorFactory(), platform.account, livemode=False, real_now=timezone.now())
    call_command("stripe_webhook_endpoint")
    [made] = at_stripe()
    assert (made["url"], made["connect"]) == ("https://portal.example/webhooks/stripe/", True)
    assert (made["api_version"], set(made["enabled_events"])) == (API_VERSION, set(SUBSCRIBED))
    first = StripeWebhookSecret.objects.get()
    assert register().pk == first.pk
    register(url="https://elsewhere.example/webhooks/stripe/")
    [moved] = at_stripe()
    assert (moved["id"], moved["url"]) == (made["id"], "https://elsewhere.example/webhooks/stripe/")

    call_command("stripe_webhook_endpoint", "--rotate")
    [after] = at_stripe()
    assert after["id"] != made["id"]
    second = StripeWebhookSecret.objects.latest("pk")
    event = an_event(platform.account)
    for number, secret in enumerate((first.secret, second.secret, "whsec_environment")):
        assert post({**event, "id": f"evt_{number}"}, secret=secret).status_code == 200
    StripeWebhookSecret.objects.filter(pk=first.pk).update(valid_until=timezone.now())
    assert post({**event, "id": "evt_9"}, secret=first.secret).status_code == 400


def test_a_lost_answer_makes_no_second_endpoint(platform: StripeSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    from invoicing.gateways import GatewayUnavailable
    from payments.sandbox.models import Fault

    monkeypatch.setattr("stripe._http_client.HTTPClient._sleep_time_seconds", lambda *args, **kwargs: 0)
    Fault.objects.create(path_regex="/v1/webhook_endpoints", kind="timeout_after", times=3)
    with pytest.raises(GatewayUnavailable):
        register()
    Fault.objects.all().delete()
    made = register()
    assert [one["id"] for one in at_stripe()] == [made.endpoint_id]
    assert made.secret.startswith("whsec_")
    assert StripeWebhookSecret.objects.count() == 1


def test_one_that_is_gone_or_of_another_version_is_made_anew(platform: StripeSandbox) -> None:
    first = register()
    StoredObject.objects.filter(stripe_id=first.endpoint_id).delete()
    second = register()
    assert [one["id"] for one in at_stripe()] == [second.endpoint_id]
    row = StoredObject.objects.get(stripe_id=second.endpoint_id)
    row.data = {**row.data, "api_version": "2020-08-27"}
    row.save()
    third = register()
    assert [one["id"] for one in at_stripe()] == [third.endpoint_id]
    assert at_stripe()[0]["api_version"] == API_VERSION


def test_an_account_with_its_own_key_has_its_own_endpoint(vendor: Vendor, platform: StripeSandbox) -> None:
    connection = entered(vendor, Entered(OWN, "pk_test_own"))
    made = register(connection)
    [there] = at_stripe()
    assert there["connect"] is False
    client_for(connection).create_customer({"name": "x"}, key="k")
    client_for(connection).update_customer(
        StoredObject.objects.get(object="customer").stripe_id, {"name": "y"}, key="l"
    )
    delivery = StoredObject.objects.filter(object="event", type="customer.updated").get()
    assert delivery.data["account"] == connection.account_id
    polled = client_for(connection).list_page("events", {})["data"]
    assert {event["account"] for event in polled} == {None}
    oauth.disconnect(connection, actor=OPERATOR, real_now=timezone.now())
    assert at_stripe() == []
    assert not StripeWebhookSecret.objects.filter(pk=made.pk).exists()


def test_signatures_say_who_signed() -> None:
    body = json.dumps({}).encode()
    header = signature.sign(body, "two", at=1_000)
    assert signature.verify(body, header, ["one", "two"], at=1_000) == "two"
