"""Unattributed measurements given to their customer, all that are alike at once."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest
from django.test import Client
from django.urls import reverse

from billing_portal.accounts.models import Role
from customers.models import Event, MeasurementMapping
from invoicing.models import Measurement
from invoicing.usage.attribution import literal
from invoicing.usage.intake import take_in
from invoicing.usage.models import UnattributedMeasurement
from tests.factories import MappingFactory, VendorFactory
from tests.portal.scene import NOW, Scene, make_operator

SignedIn = Callable[..., Client]


def send(scene: Scene, batch: str = "first", **fields: object) -> None:
    """Three, of 1, 2 and 3."""
    at, meter = "2026-03-02T10:00:00Z", "requests"
    sent = [{"id": f"{batch}-{n}", "meter_name": meter, "value": n, "time": at, **fields} for n in (1, 2, 3)]
    take_in(scene.vendor, sent, now=NOW, real_now=NOW)


def address(scene: Scene, **named: object) -> str:
    row = UnattributedMeasurement.objects.of(scene.vendor).filter(**named).first()
    assert row
    return reverse("portal:attribute_usage", args=[row.pk])


def used(scene: Scene, name: str) -> Decimal:
    rows = Measurement.objects.of(scene.vendor).filter(customer=scene.customers[name], time__date="2026-03-02")
    return sum((row.value for row in rows), Decimal(0))


def test_a_misspelt_name_is_put_right_for_all_that_were_sent_with_it(scene: Scene, signed_in: SignedIn) -> None:
    send(scene, customer_name="acmee")
    client, at = signed_in(Role.SUPPORT), address(scene, customer_name="acmee")
    before = used(scene, "acme")
    assert at in client.get(reverse("portal:unattributed")).content.decode()
    asked = client.get(at).content.decode()
    assert "All 3 sent for &#x27;acmee&#x27;" in asked
    refused = client.post(at, {"group": "0", "customer": "acmeee"}).content.decode()
    assert "There is no customer" in refused
    assert used(scene, "acme") == before

    page = client.post(at, {"group": "0", "customer": "acme"}, follow=True).content.decode()
    assert "3 measurements sent for &#x27;acmee&#x27; now belong to Acme Robotics." in page
    assert used(scene, "acme") == before + 6
    assert not UnattributedMeasurement.objects.filter(customer_name="acmee").exists()
    told = Event.objects.get(kind="usage.attributed")
    assert (told.subject_id, told.actor_label) == (
        scene.customers["acme"].pk,
        scene.operators[Role.SUPPORT].email,
    )
    assert client.post(at, {"group": "0", "customer": "globex"}).status_code == 404, "pressed twice"
    assert used(scene, "acme") == before + 6


def test_a_mapping_takes_those_to_come_too(scene: Scene, signed_in: SignedIn) -> None:
    labels = {"account": "a.b (1)", "region": "eu"}
    send(scene, labels=labels)
    client, at = signed_in(), address(scene, labels=labels)
    asked = client.get(at).content.decode()
    assert "All 3 with account=a.b (1)" in asked
    assert "All 3 with region=eu" in asked
    before = used(scene, "globex")
    place = asked.split(">All 3 with account=a.b (1)")[0][-2]
    page = client.post(at, {"group": place, "customer": "globex", "maps": "on"}, follow=True).content.decode()
    assert "now belong to Globex Corporation. Those to come will too." in page
    assert used(scene, "globex") == before + 6
    rule = MeasurementMapping.objects.filter(customer=scene.customers["globex"]).latest("pk")
    assert (rule.label, rule.value_regex) == ("account", literal("a.b (1)"))
    send(scene, "later", labels={"account": "a.b (1)"})
    send(scene, "other", labels={"account": "axb (1)"})
    assert used(scene, "globex") == before + 12, "the pattern matches this value and no other"


def test_what_several_mappings_match_is_said_by_a_person(scene: Scene, signed_in: SignedIn) -> None:
    for name in ("acme", "globex"):
        MappingFactory(customer=scene.customers[name], label="team", value_regex="red")
    send(scene, labels={"team": "red"})
    before = used(scene, "globex")
    at = address(scene, reason="ambiguous")
    signed_in().post(at, {"group": "0", "customer": "globex"})
    assert used(scene, "globex") == before + 6
    assert not UnattributedMeasurement.objects.filter(reason="ambiguous").exists()


@pytest.mark.parametrize("role", [Role.READ_ONLY, None])
def test_who_may_not(scene: Scene, signed_in: SignedIn, role: Role | None) -> None:
    send(scene, customer_name="acmee")
    at = address(scene, customer_name="acmee")
    client = Client()
    if role:
        client = signed_in(role)
        assert client.post(at, {"group": "0", "customer": "acme"}).status_code == 403
    else:
        client.force_login(make_operator(VendorFactory(), Role.OWNER))
        assert client.post(at, {"group": "0", "customer": "acme"}).status_code == 404
    assert UnattributedMeasurement.objects.of(scene.vendor).filter(customer_name="acmee").count() == 3
