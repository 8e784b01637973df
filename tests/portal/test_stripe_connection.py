"""The connection to Stripe: does it work?"""

from collections.abc import Callable

from django.test import Client, override_settings
from django.urls import reverse
from django.utils import timezone

from billing_portal.accounts.models import Role
from payments.models import StripeConnection
from tests.portal.scene import Scene, make_scene
from tests.sandbox_server import StripeSandbox

SignedIn = Callable[..., Client]


def pressed(scene: Scene) -> str:
    browser = Client()
    browser.force_login(scene.operators[Role.OWNER])
    assert "Test connection" in browser.get(reverse("portal:billing_settings")).content.decode()
    return browser.post(reverse("portal:test_connection"), follow=True).content.decode()


def test_it_works_or_why_it_does_not(stripe_sandbox: StripeSandbox) -> None:
    scene = make_scene()
    with override_settings(STRIPE_TEST_SECRET_KEY=stripe_sandbox.secret_key):
        page = pressed(scene)
        assert "The connection does not work." in page
        assert "The account no longer lets us act: the access was revoked in Stripe." in page
        assert f"{scene.connection.account_id}</span> was disconnected" in page
        assert "Test connection" not in page
        StripeConnection.objects.update(account_id=stripe_sandbox.account, disconnected_at=None, is_active=True)
        page = pressed(scene)
        assert "The connection works: Stripe knows the account as Sandbox test account" in page
        assert "Sandbox test account · " in page
    with override_settings(STRIPE_TEST_SECRET_KEY="sk_test_unknown"):
        assert "Stripe refused the platform&#x27;s secret key." in pressed(scene)


def test_without_a_connection(scene: Scene, signed_in: SignedIn) -> None:
    StripeConnection.objects.update(is_active=False, disconnected_at=timezone.now())
    assert "Test connection" not in signed_in().get(reverse("portal:billing_settings")).content.decode()
    page = signed_in().post(reverse("portal:test_connection"), follow=True).content.decode()
    assert "No Stripe account is connected." in page


def test_only_for_those_who_may_change_settings(scene: Scene, signed_in: SignedIn) -> None:
    for role in (Role.BILLING, Role.SUPPORT, Role.READ_ONLY):
        assert signed_in(role).post(reverse("portal:test_connection")).status_code == 403
        assert "Test connection" not in signed_in(role).get(reverse("portal:billing_settings")).content.decode()
