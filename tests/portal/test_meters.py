"""A meter's page: what it measured, who is billed for it, a measurement by hand, and back into use."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from billing_portal.accounts.models import Role
from invoicing.models import Measurement, Meter, UnattributedMeasurement
from tests.factories import MeterFactory, VendorFactory
from tests.portal.scene import Scene, make_operator

SignedIn = Callable[..., Client]
MEASURE = {"trial-value": "42.5", "trial-labels": "account=acme"}


def measure(client: Client, do: str, **changes: str) -> str:
    sent = MEASURE | {"do": do} | {f"trial-{name}": value for name, value in changes.items()}
    return client.post(reverse("portal:measure", args=["requests"]), sent, follow=True).content.decode()


def test_trying_says_whose_it_would_be_and_keeps_nothing(scene: Scene, signed_in: SignedIn) -> None:
    client, before = signed_in(), Measurement.objects.count()
    assert "It would be counted for" in measure(client, "try")
    assert "Acme Robotics" in measure(client, "try")
    assert "Globex Corporation" in measure(client, "try", customer_name="globex", labels="")
    assert "No customer has this name" in measure(client, "try", labels="account=nobody")
    assert Measurement.objects.count() == before
    assert UnattributedMeasurement.objects.count() == 1  # the scene's own


def test_sending_counts_for_the_customer_or_waits(scene: Scene, signed_in: SignedIn) -> None:
    client = signed_in()
    assert "is counted for Acme Robotics." in measure(client, "send")
    sent = Measurement.objects.of(scene.vendor).latest("received_at")
    assert (sent.customer.name, sent.value) == ("acme", 42.5)
    page = client.get(reverse("portal:meter", args=["requests"])).content.decode()
    assert "42.5" in page[page.index("Newest measurements") : page.index("Send a measurement")]
    assert "is kept as unattributed: no customer has this name" in measure(client, "send", labels="account=nobody")
    assert UnattributedMeasurement.objects.count() == 2


@pytest.mark.parametrize(
    ("changes", "says"), [({"value": "much"}, "Enter a number"), ({"value": "1e30"}, "no more than")]
)
def test_a_wrong_measurement_is_refused(scene: Scene, signed_in: SignedIn, changes: dict[str, str], says: str) -> None:
    before = Measurement.objects.count()
    assert says in measure(signed_in(), "send", **changes)
    assert Measurement.objects.count() == before


def test_a_label_that_is_missing_is_named(scene: Scene, signed_in: SignedIn) -> None:
    MeterFactory(vendor=scene.vendor, name="traffic", primary_labels=["region"])
    address = reverse("portal:measure", args=["traffic"])
    page = signed_in().post(address, {"trial-value": "1", "trial-customer_name": "acme", "do": "send"}).content.decode()
    assert "needs this label with every measurement" in page
    assert not Measurement.objects.filter(meter__name="traffic").exists()


def test_an_archived_meter_is_taken_into_use_again(scene: Scene, signed_in: SignedIn) -> None:
    MeterFactory(vendor=scene.vendor, name="calls")
    client = signed_in(Role.BILLING)
    client.post(reverse("portal:archive_meter", args=["calls"]))
    UnattributedMeasurement.objects.create(
        vendor=scene.vendor, reason="no_meter", meter_name="calls", customer_name="acme", time=scene.vendor.created_at,
        value=3, received_at=scene.vendor.created_at,
    )  # fmt: skip
    assert "calls" in client.get(reverse("portal:meters"), {"state": "archived"}).content.decode()
    page = client.post(reverse("portal:unarchive_meter", args=["calls"]), follow=True).content.decode()
    assert "takes measurements again" in page
    assert Measurement.objects.get(meter__name="calls").customer.name == "acme"

    client.post(reverse("portal:archive_meter", args=["calls"]))
    MeterFactory(vendor=scene.vendor, name="other", event_name="calls", primary_labels=["region"])
    refused = client.post(reverse("portal:unarchive_meter", args=["calls"]), follow=True).content.decode()
    assert "takes the same event" in refused
    assert Meter.objects.get(name="calls").archived_at


def test_the_list_searches_and_the_page_says_who_is_billed(scene: Scene, signed_in: SignedIn) -> None:
    MeterFactory(vendor=scene.vendor, name="calls", display_name="Phone calls")
    client = signed_in(Role.READ_ONLY)
    rows = client.get(reverse("portal:meters"), {"q": "one ca"}).context["page"].rows
    assert [meter.name for meter in rows] == ["calls"]
    assert "8 customers" in client.get(reverse("portal:meter", args=["requests"])).content.decode()


def test_who_may_and_whose(scene: Scene, signed_in: SignedIn) -> None:
    stranger = Client()
    stranger.force_login(make_operator(VendorFactory(), Role.OWNER))
    for name in ("measure", "unarchive_meter"):
        address = reverse(f"portal:{name}", args=["requests"])
        assert signed_in(Role.SUPPORT).post(address, MEASURE).status_code == 403
        assert stranger.post(address, MEASURE).status_code == 404


def test_what_waits_leads_to_what_attributes_it(scene: Scene, signed_in: SignedIn) -> None:
    UnattributedMeasurement.objects.filter(vendor=scene.vendor).update(reason="no_meter", event_name="disk gb")
    page = signed_in().get(reverse("portal:unattributed")).content.decode()
    assert f"{reverse('portal:new_meter')}?name=disk%20gb" in page
    form = signed_in().get(reverse("portal:new_meter"), {"name": "disk gb"}).context["form"]
    assert form["name"].value() == "disk gb"
