"""System -> Webhooks: endpoints registered, tested and disabled; deliveries looked at and sent again."""

from collections.abc import Callable

import pytest
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from billing_portal.accounts.models import Role
from customers.models import Event, WebhookDelivery, WebhookEndpoint
from tests.factories import VendorFactory
from tests.portal.deliveries import URL, failing_delivery
from tests.portal.scene import Scene, make_operator

SignedIn = Callable[..., Client]


def act(client: Client, name: str, key: object) -> str:
    address = reverse(f"portal:{name}", args=[key])
    assert client.get(address).status_code == 405
    return client.post(address, follow=True).content.decode()


def test_an_endpoint_from_its_registration_to_its_end(scene: Scene, signed_in: SignedIn) -> None:
    client, address = signed_in(), reverse("portal:webhooks")
    assert "No endpoints yet" in client.get(address).content.decode()
    refused = client.post(address, {"url": "http://10.0.0.1/", "event_types": "invoice.paid"}).content.decode()
    assert "private address" in refused
    refused = client.post(address, {"url": URL, "event_types": "invoice.gone"}).content.decode()
    assert "There is no event &#x27;invoice.gone&#x27;" in refused
    shown = client.post(address, {"url": URL, "event_types": "invoice.paid, invoice.voided"}).content.decode()
    endpoint = WebhookEndpoint.objects.get()
    assert endpoint.event_types == ["invoice.paid", "invoice.voided"]
    assert endpoint.secret in shown
    page = reverse("portal:webhook", args=[endpoint.uuid])
    assert endpoint.secret not in client.get(page).content.decode()
    old = endpoint.secret
    shown = act(client, "roll_webhook_secret", endpoint.uuid)
    endpoint.refresh_from_db()
    assert (endpoint.secret in shown, old in shown, endpoint.previous_secret) == (True, False, old)
    assert "The old secret signs too until" in client.get(page).content.decode()
    assert "on its way" in act(client, "test_webhook", endpoint.uuid)
    assert WebhookDelivery.objects.get().event.kind == "webhook.test"
    assert "Nothing is sent to it" in act(client, "disable_webhook", endpoint.uuid)
    assert "It was switched off." in client.get(page).content.decode()
    assert "Enable it first" in act(client, "test_webhook", endpoint.uuid)
    assert "is enabled" in act(client, "enable_webhook", endpoint.uuid)
    assert "with its deliveries" in act(client, "delete_webhook", endpoint.uuid)
    assert not WebhookDelivery.objects.exists()


def test_a_delivery_with_its_tries_is_sent_again(scene: Scene, signed_in: SignedIn) -> None:
    delivery = failing_delivery(scene.vendor)
    client, address = signed_in(Role.BILLING), reverse("portal:webhook_delivery", args=[delivery.pk])
    page = client.get(address).content.decode()
    assert "The endpoint answered 500." in page
    assert "&lt;b&gt;sorry&lt;/b&gt;" in page
    assert delivery.event.uuid.hex in page
    before = delivery.next_attempt_at
    assert "sent within seconds" in act(client, "send_delivery_again", delivery.pk)
    delivery.refresh_from_db()
    assert delivery.next_attempt_at < before


def test_deliveries_are_paged_and_filtered_at_a_constant_cost(scene: Scene, signed_in: SignedIn) -> None:
    delivery, client, spent = failing_delivery(scene.vendor), signed_in(), []
    address = reverse("portal:webhook", args=[delivery.endpoint.uuid])
    for count in (1, 60):
        for _ in range(count):
            act(client, "test_webhook", delivery.endpoint.uuid) if count == 1 else more(delivery)
        with CaptureQueriesContext(
            database,
        ) as queries:
            client.get(address)
        spent.append(len(queries))
    assert spent[0] == spent[1]
    page = client.get(address).context["page"]
    seen = [row.pk for row in page.rows]
    while page.older:
        page = client.get(address, {"before": page.older}).context["page"]
        seen += [row.pk for row in page.rows]
    assert seen == sorted(WebhookDelivery.objects.values_list("pk", flat=True), reverse=True)
    newer = client.get(address, {"after": str(seen[30])}).context["page"]
    assert [row.pk for row in newer.rows] == seen[5:30]
    assert client.get(address, {"state": "failed"}).context["rows"] == []
    assert len(client.get(address, {"before": "x" * 30}).context["rows"]) == 25


def more(delivery: WebhookDelivery) -> None:
    told = delivery.event
    event = Event.objects.create(
        vendor=told.vendor,
        kind=told.kind,
        subject_kind=told.subject_kind,
        subject_id=told.subject_id,
        actor_kind=told.actor_kind,
        occurred_at=told.occurred_at,
        created_at=told.created_at,
        dispatched_at=told.created_at,
    )
    WebhookDelivery.objects.create(
        vendor=delivery.vendor, endpoint=delivery.endpoint, event=event, created_at=delivery.created_at
    )


@pytest.mark.parametrize("role", [Role.BILLING, Role.SUPPORT, Role.READ_ONLY])
def test_looking_is_open_to_all_and_changing_is_not(scene: Scene, signed_in: SignedIn, role: Role) -> None:
    delivery = failing_delivery(scene.vendor)
    client, endpoint = signed_in(role), delivery.endpoint
    assert client.post(reverse("portal:webhooks"), {"url": URL}).status_code == 403
    sends = 302 if role == Role.BILLING else 403
    for name, key, expected in (
        ("roll_webhook_secret", endpoint.uuid, 403),
        ("disable_webhook", endpoint.uuid, 403),
        ("enable_webhook", endpoint.uuid, 403),
        ("delete_webhook", endpoint.uuid, 403),
        ("test_webhook", endpoint.uuid, sends),
        ("send_delivery_again", delivery.pk, sends),
    ):
        assert client.post(reverse(f"portal:{name}", args=[key])).status_code == expected, name
    page = client.get(reverse("portal:webhook_delivery", args=[delivery.pk])).content.decode()
    assert ("Send again" in page) == (role == Role.BILLING)
    assert "Roll secret" not in client.get(reverse("portal:webhook", args=[endpoint.uuid])).content.decode()


def test_what_another_vendor_has_is_not_there(scene: Scene) -> None:
    delivery = failing_delivery(scene.vendor)
    stranger = Client()
    stranger.force_login(make_operator(VendorFactory(), Role.OWNER))
    assert URL not in stranger.get(reverse("portal:webhooks")).content.decode()
    for name in ("roll_webhook_secret", "disable_webhook", "enable_webhook", "delete_webhook", "test_webhook"):
        assert stranger.post(reverse(f"portal:{name}", args=[delivery.endpoint.uuid])).status_code == 404
    assert stranger.post(reverse("portal:send_delivery_again", args=[delivery.pk])).status_code == 404
    assert WebhookEndpoint.objects.get().disabled_at is None
