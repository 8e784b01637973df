"""/webhooks"""

import pytest

from customers.models import WebhookEndpoint
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
