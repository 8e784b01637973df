"""Usage against its limits on the customer's page."""

from collections.abc import Callable

from django.test import Client
from django.urls import reverse

from billing_portal.accounts.models import Role
from billing_portal.portal.timeline import entry
from customers.events.models import Event, EventKind
from tests.factories import VendorFactory
from tests.portal.scene import Scene, make_operator

SignedIn = Callable[..., Client]


def page(client: Client, name: str) -> str:
    return " ".join(client.get(reverse("portal:customer", args=[name])).content.decode().split())


def test_the_customer_page_shows_usage_against_each_limit(scene: Scene, signed_in: SignedIn) -> None:
    client, component = signed_in(Role.READ_ONLY), scene.plan.metered_components.get()
    assert "Usage limits" not in page(client, "acme")
    component.limit = 4000
    component.save()
    shown = page(client, "acme")
    assert "Usage limits" in shown
    assert "2,472 of 4,000" in shown
    assert "62 %" in shown
    component.limit = 2472
    component.save()
    assert '100 % <span class="bp-small">reached</span>' in page(client, "acme")


def test_limits_are_changed_beside_the_subscription(scene: Scene, signed_in: SignedIn) -> None:
    component = scene.plan.metered_components.get()
    component.meter.primary_labels = ["region"]
    component.meter.save()
    place, at = f"limits_{component.pk}", reverse("portal:change_limits", args=["acme", component.external_uuid])
    subscription = reverse("portal:customer_subscription", args=["acme"])
    client = signed_in(Role.BILLING)
    assert "all subscribers of Growth version 1" in client.get(subscription).content.decode()
    assert at not in signed_in(Role.SUPPORT).get(subscription).content.decode()

    wrong = client.post(at, {f"{place}-limit": "-4", f"{place}-label_limits": "region=eu: 1000"})
    assert "Give a number above 0" in wrong.content.decode()
    component.refresh_from_db()
    assert (component.limit, component.label_limits) == (None, [])

    sent = {f"{place}-limit": "4000", f"{place}-label_limits": "region=eu: 1000"}
    answer = client.post(at, sent, follow=True).content.decode()
    assert "The usage limits of API requests are changed." in answer
    assert "2,472 of 4,000" in " ".join(answer.split())
    component.refresh_from_db()
    assert (component.limit, component.label_limits) == (4000, [{"labels": {"region": "eu"}, "limit": "1000"}])
    client.post(at, sent)
    [told] = Event.objects.of(scene.vendor).filter(kind=EventKind.USAGE_LIMITS_CHANGED)
    assert told.actor_label == scene.operators[Role.BILLING].email
    assert entry(told).detail == "Growth (version 1). API requests: none → 4,000; region eu: 1,000."

    client.post(at, {f"{place}-limit": "", f"{place}-label_limits": ""})
    component.refresh_from_db()
    assert (component.limit, component.label_limits) == (None, [])
    stranger = Client()
    stranger.force_login(make_operator(VendorFactory(), Role.OWNER))
    assert stranger.post(at, sent).status_code == 404
