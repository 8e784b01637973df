"""System -> Test clock: what happens next, going there, and how far a moving clock has come."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.urls import reverse

from billing_portal.accounts.models import Role
from customers.models import Vendor
from invoicing.models import BillingCycle, Invoice
from tests.portal.scene import APRIL, NOW, Scene

SignedIn = Callable[..., Client]
MIDNIGHT = datetime(2026, 3, 4, tzinfo=UTC)


def page(client: Client) -> str:
    return client.get(reverse("portal:test_clock")).content.decode()


def test_it_says_what_the_next_event_is_and_goes_there(scene: Scene, signed_in: SignedIn) -> None:
    client = signed_in()
    shown = page(client)
    assert f"Issue: {scene.invoices['generated']}" in shown
    assert "4 Mar 2026, 00:00 UTC" in shown
    assert "INV-00150" not in shown  # eight hours later
    answer = client.post(reverse("portal:advance_to_next"), follow=True).content.decode()
    assert "on its way to 4 Mar 2026, 00:00 UTC, the next event." in answer
    assert Vendor.objects.get(pk=scene.vendor.pk).clock_target == MIDNIGHT


def test_what_is_overdue_does_not_hide_it(scene: Scene, signed_in: SignedIn) -> None:
    """An action of the past that waits for a worker, in the same table as the next one."""
    late = Invoice.objects.filter(pk=scene.invoices["payment-failed"].pk)
    late.update(next_action="collect", next_action_at=NOW - timedelta(hours=2))
    shown = page(signed_in())
    assert f"Issue: {scene.invoices['generated']}" in shown
    assert "4 Mar 2026, 00:00 UTC" in shown


def test_several_at_once_are_named_and_the_rest_counted(scene: Scene, signed_in: SignedIn) -> None:
    Invoice.objects.update(next_action_at=None, due_date=None)
    shown = page(signed_in())
    assert shown.count("End the billing cycle") == 5
    assert "and more" in shown


def test_a_due_date_is_an_event(scene: Scene, signed_in: SignedIn) -> None:
    Invoice.objects.update(next_action_at=None)
    BillingCycle.objects.update(next_action_at=None, next_action="")
    assert "Due date passes: INV-" in page(signed_in())


def test_without_a_plan_there_is_no_next_event(scene: Scene, signed_in: SignedIn) -> None:
    Invoice.objects.update(next_action_at=None, due_date=None)
    BillingCycle.objects.update(next_action_at=None, next_action="")
    client = signed_in()
    assert "Nothing is planned yet" in page(client)
    answer = client.post(reverse("portal:advance_to_next"), follow=True).content.decode()
    assert "Nothing is planned, so there is no event to move the clock to." in answer
    assert Vendor.objects.get(pk=scene.vendor.pk).clock_target is None


@pytest.mark.parametrize("role", [Role.BILLING, Role.SUPPORT, Role.READ_ONLY])
def test_only_who_may_move_the_clock_does(scene: Scene, signed_in: SignedIn, role: Role) -> None:
    assert "Advance to the next event" not in page(signed_in(role))
    assert signed_in(role).post(reverse("portal:advance_to_next")).status_code == 403
    assert signed_in().get(reverse("portal:advance_to_next")).status_code == 405


def test_a_moving_clock_shows_how_far_it_has_come(scene: Scene, signed_in: SignedIn) -> None:
    client = signed_in()
    client.post(reverse("portal:test_clock"), {"target": "2026-04-01T00:00"})
    halfway = NOW + (APRIL - NOW) / 2
    Vendor.objects.update(clock_frozen_at=halfway)
    answer = client.get(reverse("portal:clock_progress"))
    assert 'value="50"' in answer.content.decode()
    assert "HX-Refresh" not in answer.headers
    Vendor.objects.update(clock_frozen_at=None, clock_target=None, clock_offset=timedelta(days=3))
    assert client.get(reverse("portal:clock_progress")).headers["HX-Refresh"] == "true"
