"""/webhooks"""

import hmac
from datetime import timedelta

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.utils import timezone
from standardwebhooks import Webhook

from customers.events.deliver import claim_endpoints, record_delivered, record_failure
from customers.events.dispatch import dispatch
from customers.events.post import Answer
from customers.events.signature import signature_headers
from customers.models import WebhookDelivery, WebhookEndpoint
from tests.api.client import Api, answer, refusal

URL = "https://example.com/hooks"


def test_registering_listing_and_deleting(api: Api) -> None:
    made = answer(api.post("/webhooks/", {"url": URL}))
    secret = made.pop("secret")
    assert secret.startswith("whsec_")
    assert (made["url"], made["enable_signature"]) == (URL, True)
    assert answer(api.get("/webhooks/")) == [made], "the secret is shown once"
    assert answer(api.get(f"/webhooks/{made['uuid']}")) == made
    assert answer(api.delete(f"/webhooks/{made['uuid']}")) == {}
    assert answer(api.get("/webhooks/")) == []
    refusal(api.delete(f"/webhooks/{made['uuid']}"), 404)


def test_signing_is_optional(api: Api) -> None:
    assert answer(api.post("/webhooks", {"url": URL, "enable_signature": False}))["enable_signature"] is False


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com",
        "ftp://example.com",
        "https://",
        "https://[::1",
        "https://example.com:port/",
        "javascript:alert(1)",
        "http://10.0.0.1/hooks",
        "http://192.168.1.1",
        "http://169.254.169.254/latest/meta-data",
        "http://[fe80::1]/",
        "http://[::ffff:10.0.0.1]/",
        "http://0.0.0.0/",
        "https://example.com/" + "x" * 1000,
    ],
)
def test_an_address_that_cannot_be_is_refused(api: Api, url: str) -> None:
    assert list(refusal(api.post("/webhooks", {"url": url}), 422)) == ["url"]
    assert not WebhookEndpoint.objects.exists()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "[::ffff:127.0.0.1]"])
def test_this_machine_only_where_it_is_allowed(api: Api, settings, host: str) -> None:
    settings.WEBHOOKS_ALLOW_LOOPBACK = False
    assert list(refusal(api.post("/webhooks", {"url": f"http://{host}:8000/"}), 422)) == ["url"]
    settings.WEBHOOKS_ALLOW_LOOPBACK = True
    answer(api.post("/webhooks", {"url": f"http://{host}:8000/"}))


def test_an_unknown_field(api: Api) -> None:
    assert list(refusal(api.post("/webhooks", {"url": URL, "events": []}), 422)) == ["events"]
    assert list(refusal(api.post("/webhooks"), 422)) == ["url"]


def test_another_vendors_webhook_does_not_exist(api: Api, stranger: Api) -> None:
    made = answer(api.post("/webhooks", {"url": URL}))
    refusal(stranger.get(f"/webhooks/{made['uuid']}"), 404)
    refusal(stranger.delete(f"/webhooks/{made['uuid']}"), 404)
    assert answer(stranger.get("/webhooks")) == []
    assert len(answer(api.get("/webhooks"))) == 1
    refusal(api.get("/webhooks/not-a-uuid"), 404)


def test_only_what_is_given_changes(api: Api) -> None:
    made = answer(api.post("/webhooks", {"url": URL, "description": "Ledger", "event_types": ["invoice.paid"]}))
    path = f"/webhooks/{made['uuid']}"
    changed = answer(api.put(path, {"event_types": []}))
    assert changed == {**{k: v for k, v in made.items() if k != "secret"}, "event_types": []}
    off = answer(api.put(path, {"enabled": False}))
    assert (off["enabled"], off["disabled_reason"]) == (False, "It was switched off.")
    assert answer(api.put(path, {"enabled": True, "url": URL + "/2"}))["disabled_at"] is None
    assert answer(api.get(path))["url"] == URL + "/2"


@pytest.mark.parametrize(
    "change", [{"url": "http://10.0.0.1/"}, {"event_types": ["invoice.gone"]}, {"description": "x" * 257}]
)
def test_a_bad_change_changes_nothing(api: Api, change: dict[str, object]) -> None:
    made = answer(api.post("/webhooks", {"url": URL}))
    before = answer(api.get(f"/webhooks/{made['uuid']}"))
    assert list(refusal(api.put(f"/webhooks/{made['uuid']}", {"enabled": False, **change}), 422)) == list(change)
    assert answer(api.get(f"/webhooks/{made['uuid']}")) == before


def test_a_rolled_secret_overlaps_with_the_old_one(api: Api) -> None:
    made = answer(api.post("/webhooks", {"url": URL}))
    rolled = answer(api.post(f"/webhooks/{made['uuid']}/roll_secret"))
    assert rolled["secret"] != made["secret"]
    endpoint = WebhookEndpoint.objects.get()
    assert endpoint.previous_secret_until is not None
    until = endpoint.previous_secret_until
    assert endpoint.secrets(until - timedelta(seconds=1)) == [rolled["secret"], made["secret"]]
    assert endpoint.secrets(until) == [rolled["secret"]]
    body = b'{"a": 1}'
    now = timezone.now()
    headers = signature_headers(endpoint.secrets(now), "msg_1", body, real_now=now)
    for secret in (made["secret"], rolled["secret"]):
        assert Webhook(secret).verify(body, headers) == {"a": 1}
    assert headers["Octane-Signature"] == hmac.new(rolled["secret"].encode(), body, "sha256").hexdigest()


def test_secrets_are_encrypted_at_rest(api: Api) -> None:
    made = answer(api.post("/webhooks", {"url": URL}))
    with connection.cursor() as cursor:
        cursor.execute("SELECT secret FROM customers_webhookendpoint")
        [stored] = cursor.fetchone()
    assert made["secret"] not in stored
    assert WebhookEndpoint.objects.get().secret == made["secret"]


def test_a_key_can_be_changed_and_a_missing_one_is_named(api: Api, settings) -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    settings.FIELD_ENCRYPTION_KEYS = [old]
    made = answer(api.post("/webhooks", {"url": URL}))
    settings.FIELD_ENCRYPTION_KEYS = [new, old]
    assert WebhookEndpoint.objects.get().secret == made["secret"]
    for keys in ([new], ["short"]):
        settings.FIELD_ENCRYPTION_KEYS = keys
        with pytest.raises(ImproperlyConfigured, match="FIELD_ENCRYPTION_KEYS"):
            WebhookEndpoint.objects.get()


def test_a_test_event_goes_to_this_endpoint_alone(api: Api) -> None:
    made = answer(api.post("/webhooks", {"url": URL, "event_types": ["invoice.paid"]}))
    answer(api.post("/webhooks", {"url": URL}))
    sent = answer(api.post(f"/webhooks/{made['uuid']}/test"))
    assert (sent["event_type"], sent["state"]) == ("webhook.test", "pending")
    answer(api.post(f"/webhooks/{made['uuid']}/test"))
    dispatch(real_now=timezone.now())
    deliveries = WebhookDelivery.objects.order_by("pk")
    assert [str(d.endpoint.uuid) for d in deliveries] == [made["uuid"]] * 2
    assert [d.event.sequence for d in deliveries] == [1, 2]
    answer(api.put(f"/webhooks/{made['uuid']}", {"enabled": False}))
    assert refusal(api.post(f"/webhooks/{made['uuid']}/test"), 409) == {"kind": "endpoint_disabled"}


def test_deliveries_are_paged_newest_first_with_their_tries(api: Api) -> None:
    made = answer(api.post("/webhooks", {"url": URL}))
    path = f"/webhooks/{made['uuid']}/deliveries"
    ids = [answer(api.post(f"/webhooks/{made['uuid']}/test"))["id"] for _ in range(5)]
    first = WebhookDelivery.objects.get(pk=ids[0])
    record_failure(first, Answer(500, "The endpoint answered 500.", "sorry", "", 12), real_now=timezone.now())

    page = answer(api.get(path, {"limit": 3}))
    assert [row["id"] for row in page["deliveries"]] == ids[:1:-1]
    answer(api.post(f"/webhooks/{made['uuid']}/test"))
    rest = answer(api.get(path, {"limit": 3, "cursor": page["next_cursor"]}))
    assert [row["id"] for row in rest["deliveries"]] == ids[1::-1]
    assert rest["next_cursor"] is None
    [attempt] = rest["deliveries"][-1]["attempts"]
    assert (attempt["status"], attempt["duration_ms"], attempt["answer"]) == (500, 12, "sorry")
    assert answer(api.get(path, {"state": "delivered"}))["deliveries"] == []
    assert list(refusal(api.get(path, {"cursor": "x"}), 422)) == ["cursor"]


def test_a_delivery_is_sent_again(api: Api, stranger: Api) -> None:
    made = answer(api.post("/webhooks", {"url": URL}))
    sent = answer(api.post(f"/webhooks/{made['uuid']}/test"))
    row = WebhookDelivery.objects.get()
    record_delivered([(row, Answer(200), timezone.now())])
    path = f"/webhooks/deliveries/{sent['id']}/retries"
    refusal(stranger.post(path), 404)
    refusal(api.post("/webhooks/deliveries/999999/retries"), 404)
    assert answer(api.post(path))["state"] == "pending"
    assert claim_endpoints(real_now=timezone.now())[1] == [row.endpoint_id]


def test_another_vendors_webhook_cannot_be_used(api: Api, stranger: Api) -> None:
    made = answer(api.post("/webhooks", {"url": URL}))
    path = f"/webhooks/{made['uuid']}"
    refusal(stranger.put(path, {"enabled": False}), 404)
    refusal(stranger.post(f"{path}/roll_secret"), 404)
    refusal(stranger.post(f"{path}/test"), 404)
    refusal(stranger.get(f"{path}/deliveries"), 404)
