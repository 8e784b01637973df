"""A measurement typed on the customer's page counts like one that was sent."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from billing_portal.accounts.models import Role
from invoicing.models import Measurement
from tests.portal.scene import NOW, Scene

SignedIn = Callable[..., Client]


def send(client: Client, **fields: str) -> Any:
    given = {"meter": "requests", "value": "12.5"} | fields
    body = {f"usage-{name}": value for name, value in given.items()}
    return client.post(reverse("portal:send_usage", args=["acme"]), body, follow=True)


def test_it_is_kept_for_the_customer(scene: Scene, signed_in: SignedIn) -> None:
    page = send(signed_in(Role.BILLING), time="2026-03-02T09:30").content.decode()
    assert "12.5 on requests at 2 Mar 2026, 09:30 UTC is sent for Acme Robotics." in page
    kept = Measurement.objects.get(customer=scene.customers["acme"], value=Decimal("12.5"))
    assert kept.time.isoformat() == "2026-03-02T09:30:00+00:00"


def test_without_a_time_it_is_the_vendors_now(scene: Scene, signed_in: SignedIn) -> None:
    send(signed_in(), labels='{"region": "eu"}')
    kept = Measurement.objects.get(customer=scene.customers["acme"], value=Decimal("12.5"))
    assert (kept.time.date(), kept.labels) == (NOW.date(), {"region": "eu"})


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"value": ""}, "This field is required."),
        ({"value": "many"}, "Enter a number."),
        ({"value": "1e18"}, "no more than 18 digits before the decimal point"),
        ({"meter": "unheard"}, "Select a valid choice."),
        ({"labels": "eu"}, "Write labels as an object"),
        ({"labels": '{"a": 1}'}, "is not text: write it in quotes."),
        ({"time": "soon"}, "Enter a valid date/time."),
    ],
)
def test_what_makes_no_sense_is_said_beside_its_field(
    scene: Scene, signed_in: SignedIn, fields: dict[str, str], said: str
) -> None:
    before = Measurement.objects.count()
    assert said in send(signed_in(), **fields).content.decode()
    assert Measurement.objects.count() == before


@pytest.mark.parametrize("role", [Role.SUPPORT, Role.READ_ONLY])
def test_only_who_may_change_subscriptions_sends(scene: Scene, signed_in: SignedIn, role: Role) -> None:
    assert send(signed_in(role)).status_code == 403
    page = signed_in(role).get(reverse("portal:customer_subscription", args=["acme"])).content.decode()
    assert "Send usage" not in page
