"""The customer's page beside its subscription: the head, resetting overrides, metadata."""

import re
from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from billing_portal.accounts.models import Role
from customers.events.models import EventKind
from customers.models import BillingSettingsOverride, CustomerMetadata, Event
from tests.portal.scene import Scene

SignedIn = Callable[..., Client]


def reset(client: Client, setting: str = "") -> str:
    sent = {"setting": setting} if setting else {}
    return client.post(reverse("portal:reset_override", args=["wayne"]), sent, follow=True).content.decode()


def test_a_failed_payment_can_be_tried_again_from_every_tab(scene: Scene, signed_in: SignedIn) -> None:
    retry = reverse("portal:invoice_verb", args=[scene.invoices["payment-failed"].uuid, "pay"])
    for tab in ("customer", "customer_subscription", "customer_payments"):
        page = signed_in(Role.BILLING).get(reverse(f"portal:{tab}", args=["initech"])).content.decode()
        assert "Your card was declined." in page
        assert f'action="{retry}"' in page
    assert retry not in signed_in(Role.SUPPORT).get(reverse("portal:customer", args=["initech"])).content.decode()
    assert "ask-retry" not in signed_in().get(reverse("portal:customer", args=["acme"])).content.decode()


def test_one_setting_is_reset_and_then_all_of_them(scene: Scene, signed_in: SignedIn) -> None:
    client = signed_in(Role.BILLING)
    page = client.get(reverse("portal:customer_settings", args=["wayne"])).content.decode()
    differing = page[page.index("What differs from Settings") :]
    assert re.search(r">14( days)?<", differing)
    assert "is the vendor" in reset(client, "days_until_due")
    kept = BillingSettingsOverride.objects.filter(customer=scene.customers["wayne"])
    assert kept.values_list("days_until_due", "invoice_via_octane").get() == (None, True)
    assert "Every setting of Wayne Enterprises is the vendor" in reset(client)
    assert not BillingSettingsOverride.objects.exists()
    assert "settings already" in reset(client)
    assert Event.objects.filter(kind=EventKind.OVERRIDE_CHANGED).count() == 2


@pytest.mark.parametrize(("role", "setting", "status"), [(Role.SUPPORT, "", 403), (Role.OWNER, "nonsense", 404)])
def test_a_reset_is_refused(scene: Scene, signed_in: SignedIn, role: Role, setting: str, status: int) -> None:
    response = signed_in(role).post(reverse("portal:reset_override", args=["wayne"]), {"setting": setting})
    assert response.status_code == status
    assert BillingSettingsOverride.objects.filter(days_until_due=14).exists()


def test_metadata_is_typed_changed_and_taken_away(scene: Scene, signed_in: SignedIn) -> None:
    client, address = signed_in(Role.SUPPORT), reverse("portal:edit_customer", args=["acme"])
    sent = {field.html_name: field.value() or "" for field in client.get(address).context["form"]}
    client.post(address, sent | {"metadata": "region = US\ntier = gold"})
    kept = CustomerMetadata.objects.filter(customer__name="acme").order_by("property")
    assert list(kept.values_list("property", "value")) == [("region", "US"), ("tier", "gold")]
    client.post(address, sent | {"metadata": "tier = silver"})
    assert list(kept.values_list("property", "value")) == [("tier", "silver")]
    told = Event.objects.filter(kind="customer.updated").count()
    form = client.get(address).context["form"]
    assert form["metadata"].value() == "tier = silver"
    client.post(address, sent | {"metadata": "tier = silver"})
    assert Event.objects.filter(kind="customer.updated").count() == told
    for wrong in ("= US", "tier = a\ntier = b", f"{'x' * 200} = a"):
        response = client.post(address, sent | {"metadata": wrong})
        assert list(response.context["form"].errors) == ["metadata"], wrong
    assert list(kept.values_list("property", "value")) == [("tier", "silver")]


def test_ids_can_be_copied_and_lead_to_stripe(scene: Scene, signed_in: SignedIn) -> None:
    page = signed_in().get(reverse("portal:customer_payments", args=["acme"])).content.decode()
    assert 'data-text="acme"' in page
    assert "https://dashboard.stripe.com/acct_1northwind/test/customers/cus_northwind_acme" in page
