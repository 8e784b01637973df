"""A customer's Integrations -> Payments."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from billing_portal.accounts.models import Role
from payments.stripe.models import StripeCustomer
from tests.factories import VendorFactory
from tests.portal.scene import Scene, make_operator

SignedIn = Callable[..., Client]
BUTTONS = ("generate_stripe_customer", "link_stripe_customer")


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
