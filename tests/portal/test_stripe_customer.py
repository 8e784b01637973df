"""A customer's Integrations -> Payments."""

from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from billing_portal.accounts.models import Role
from customers.actors import STRIPE
from payments.stripe import methods
from payments.stripe.models import StripeConnection, StripeCustomer
from tests.factories import InvoiceFactory, VendorFactory
from tests.portal.scene import Scene, make_operator
from tests.sandbox_server import StripeSandbox

SignedIn = Callable[..., Client]
BUTTONS = (
    "generate_stripe_customer",
    "link_stripe_customer",
    "unlink_stripe_customer",
    "send_to_stripe",
    "make_card_link",
    "make_portal_link",
)
METHOD_BUTTONS = ("choose_payment_method", "remove_payment_method")


@pytest.mark.parametrize("button", BUTTONS)
def test_buttons_do_nothing_by_get_or_for_the_wrong_role(scene: Scene, signed_in: SignedIn, button: str) -> None:
    address = reverse(f"portal:{button}", args=["wonka"])
    assert signed_in().get(address).status_code == 405
    assert signed_in(Role.READ_ONLY).post(address, {"external_id": "cus_1"}).status_code == 403
    assert not StripeCustomer.objects.filter(customer=scene.customers["wonka"]).exists()


@pytest.mark.parametrize("button", BUTTONS)
def test_another_vendors_customer_is_not_found(scene: Scene, button: str) -> None:
    stranger = Client()
    stranger.force_login(make_operator(VendorFactory(), Role.OWNER))
    assert stranger.post(reverse(f"portal:{button}", args=["wonka"]), {"external_id": "cus_1"}).status_code == 404


@pytest.mark.parametrize("button", BUTTONS)
def test_without_a_connected_account_it_says_what_to_do(scene: Scene, signed_in: SignedIn, button: str) -> None:
    scene.connection.is_active = False
    scene.connection.save()
    page = signed_in().post(reverse(f"portal:{button}", args=["wonka"]), {"external_id": "cus_1"}, follow=True)
    assert "No Stripe account is connected." in page.content.decode()
    assert not StripeCustomer.objects.filter(customer=scene.customers["wonka"]).exists()


@pytest.mark.parametrize("button", METHOD_BUTTONS)
def test_buttons_of_payment_methods_have_the_same_guards(scene: Scene, signed_in: SignedIn, button: str) -> None:
    address = reverse(f"portal:{button}", args=["acme", "pm_acme"])
    assert signed_in().get(address).status_code == 405
    assert signed_in(Role.READ_ONLY).post(address).status_code == 403
    stranger = Client()
    stranger.force_login(make_operator(VendorFactory(), Role.OWNER))
    assert stranger.post(address).status_code == 404


@pytest.fixture
def sandbox(scene: Scene, stripe_sandbox: StripeSandbox, settings: Any) -> StripeSandbox:
    """The vendor's account is the sandbox's."""
    settings.STRIPE_TEST_SECRET_KEY = stripe_sandbox.secret_key
    StripeConnection.objects.update(account_id=stripe_sandbox.account)
    StripeCustomer.objects.all().delete()
    return stripe_sandbox


def press(client: Client, button: str, *args: str, **given: str) -> str:
    page = client.post(reverse(f"portal:{button}", args=["wonka", *args]), given, follow=True)
    assert page.status_code == 200
    return unescape(page.content.decode())


def test_a_customer_is_generated_looked_after_and_unlinked(
    scene: Scene, sandbox: StripeSandbox, signed_in: SignedIn
) -> None:
    operator, stripe = signed_in(), sandbox.client().v1
    assert "is linked with the Stripe customer cus_" in press(operator, "generate_stripe_customer")
    row = StripeCustomer.objects.get(customer=scene.customers["wonka"])
    visa = stripe.payment_methods.attach("pm_card_visa", {"customer": row.external_id}).id
    amex = stripe.payment_methods.attach("pm_card_amex", {"customer": row.external_id}).id
    methods.refresh(row, actor=STRIPE, real_now=timezone.now())
    page = press(operator, "choose_payment_method", amex)
    assert "Stripe charges Wonka Confectionery with another payment method" in page
    assert stripe.customers.retrieve(row.external_id).invoice_settings.default_payment_method == amex
    assert "is removed" in press(operator, "remove_payment_method", visa)
    assert "has no payment method" in press(operator, "remove_payment_method", visa)
    page = press(operator, "make_card_link")
    assert "/c/pay/" in page
    assert "Whoever has it can act as the customer" in page
    assert "/p/session/" in press(operator, "make_portal_link")
    assert "In step since" in press(operator, "send_to_stripe")

    invoice = InvoiceFactory(
        customer=scene.customers["wonka"], number="INV-7", status="INVOICE_ISSUED", gateway="stripe",
        external_invoice_id="in_7", next_action="",
    )  # fmt: skip
    assert "in flight through Stripe: INV-7" in press(operator, "unlink_stripe_customer")
    invoice.delete()
    assert "is not linked with a Stripe customer any more" in press(operator, "unlink_stripe_customer")
    assert not StripeCustomer.objects.exists()
    assert "Stripe customer unlinked" in operator.get(reverse("portal:customer_activity", args=["wonka"])).text


def test_deleted_in_stripe_it_says_what_to_do(scene: Scene, sandbox: StripeSandbox, signed_in: SignedIn) -> None:
    operator = signed_in()
    press(operator, "generate_stripe_customer")
    first = StripeCustomer.objects.get().external_id
    sandbox.client().v1.customers.delete(first)
    page = press(operator, "make_card_link")
    assert f"The customer {first} was deleted in Stripe. Generate a new one, or link another." in page
    assert "Generate Stripe Customer" in page
    assert "is linked with the Stripe customer" in press(operator, "generate_stripe_customer")
    assert StripeCustomer.objects.get().external_id != first


def test_the_pages_that_stripe_sends_people_back_to_tell_nothing(client: Client) -> None:
    for name in ("payment-method-saved", "payment-method-unchanged"):
        page = client.get(reverse(name), {"session_id": "cs_1", "vendor": "northwind"})
        assert "You can close this page." in page.text
        assert "northwind" not in page.text
        assert client.post(reverse(name)).status_code == 405
