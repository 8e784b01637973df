"""System -> Reconciliation: compared, shown in words and money, repaired singly and together."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection as database
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from billing_portal.accounts.models import Role
from invoicing.gateways import Advance
from payments.models import Difference, ReconciliationRun
from payments.reconcile.look import invoice_news
from tests.factories import VendorFactory
from tests.payments.stripe.conftest import Shop, issued
from tests.payments.stripe.conftest import shop as shop_fixture
from tests.portal.scene import Scene, make_operator

SignedIn = Callable[..., Client]
SCREEN = "portal:reconciliation"
shop = shop_fixture


def a_difference(scene: Scene, external: str = "in_1hooli", **changes: Any) -> Difference:
    told: dict[str, Any] = {"kind": "invoice_paid", "look": invoice_news(external), "ours": "Issued", "theirs": "Paid"}
    return Difference.objects.create(
        vendor=scene.vendor, connection=scene.connection, external_id=external,
        invoice=scene.invoices["issued"], found_at=timezone.now(), **{**told, **changes},
    )  # fmt: skip


def test_an_operator_compares_and_repairs(shop: Shop) -> None:
    """What a person does who finds that Stripe's money and ours do not agree."""
    invoice = issued(shop, shop.customer(), 18_538, advance=Advance.AT_ONCE)
    browser = Client()
    browser.force_login(make_operator(shop.vendor, Role.BILLING))
    assert "No differences are known" in browser.get(reverse(SCREEN)).content.decode()
    with override_settings(CELERY_TASK_ALWAYS_EAGER=True):
        told = browser.post(reverse("portal:start_reconciliation"), follow=True).content.decode()
    assert "The comparison is under way." in told
    assert "Paid in Stripe" in told
    assert "Issued, $0.00 of $185.38 paid" in told
    run = ReconciliationRun.objects.get()
    page = browser.get(reverse("portal:reconciliation_run", args=[run.pk])).content.decode()
    assert "Payments collected (USD)" in page
    assert "$185.38" in page
    assert "0 %" in page
    difference = Difference.objects.get()
    told = browser.post(reverse("portal:repair_difference", args=[difference.pk]), follow=True).content.decode()
    assert "is repaired: Stripe&#x27;s present state was applied." in told
    invoice.refresh_from_db()
    assert invoice.status == "INVOICE_PAID"
    assert "Repaired" in browser.get(reverse(SCREEN), {"show": "settled"}).content.decode()
    assert "Finished" in browser.get(reverse(SCREEN), {"show": "comparisons"}).content.decode()
    second = issued_again(shop)
    browser.post(reverse("portal:start_reconciliation"))
    assert "1 difference will be repaired" in (
        browser.post(reverse("portal:repair_differences"), follow=True).content.decode()
    )
    second.refresh_from_db()
    assert second.status == "INVOICE_PAID"


def issued_again(shop: Shop) -> Any:
    from invoicing.models import Invoice

    Invoice.objects.update(number="INV-1")
    return issued(shop, shop.customer(), 500, advance=Advance.AT_ONCE)


def test_what_cannot_be_repaired_says_why_and_has_no_button(scene: Scene, signed_in: SignedIn) -> None:
    twice = a_difference(scene, "in_2", kind="invoice_twice", look={}, advice="Void it in Stripe.")
    failed = a_difference(scene, last_error="Stripe did not answer.")
    page = signed_in().get(reverse(SCREEN)).content.decode()
    assert "Void it in Stripe." in page
    assert "Stripe did not answer." in page
    assert reverse("portal:repair_difference", args=[failed.pk]) in page
    assert reverse("portal:repair_difference", args=[twice.pk]) not in page
    assert signed_in().post(reverse("portal:repair_difference", args=[twice.pk])).status_code == 404


def test_a_running_comparison_shows_how_far_it_is(scene: Scene, signed_in: SignedIn) -> None:
    run = ReconciliationRun.objects.create(
        vendor=scene.vendor, connection=scene.connection, since=timezone.now(), phase="refunds", pages=12,
        objects_seen=1_150, started_at=timezone.now(), moved_at=timezone.now(),
    )  # fmt: skip
    page = signed_in().get(reverse(SCREEN)).content.decode()
    assert "at refunds, 12 pages, 1150 objects, 0 differences, 0 repaired" in page
    assert (
        "None was found so far."
        in signed_in().get(reverse("portal:reconciliation_run", args=[run.pk])).content.decode()
    )


def test_the_screen_costs_the_same_however_many_there_are(scene: Scene, signed_in: SignedIn) -> None:
    client, spent = signed_in(), []
    for part in range(2):
        for number in range(4):
            a_difference(scene, f"in_{part}_{number}")
        with CaptureQueriesContext(database) as queries:
            client.get(reverse(SCREEN))
        spent.append(len(queries))
    assert spent[0] == spent[1]


@pytest.mark.parametrize("role", [Role.SUPPORT, Role.READ_ONLY])
def test_looking_is_open_to_all_and_repairing_is_not(scene: Scene, signed_in: SignedIn, role: Role) -> None:
    difference = a_difference(scene)
    client = signed_in(role)
    page = client.get(reverse(SCREEN)).content.decode()
    assert "Compare now" not in page
    assert "Repair</button>" not in page
    assert client.post(reverse("portal:start_reconciliation")).status_code == 403
    assert client.post(reverse("portal:repair_differences")).status_code == 403
    assert client.post(reverse("portal:repair_difference", args=[difference.pk])).status_code == 403
    assert signed_in().get(reverse("portal:repair_difference", args=[difference.pk])).status_code == 405


def test_another_vendor_sees_and_repairs_nothing(scene: Scene) -> None:
    difference = a_difference(scene)
    stranger = Client()
    stranger.force_login(make_operator(VendorFactory(), Role.OWNER))
    assert "in_1hooli" not in stranger.get(reverse(SCREEN)).content.decode()
    assert stranger.post(reverse("portal:repair_difference", args=[difference.pk])).status_code == 404
    told = stranger.post(reverse("portal:repair_differences"), follow=True).content.decode()
    assert "0 differences will be repaired" in told
    told = stranger.post(reverse("portal:start_reconciliation"), follow=True).content.decode()
    assert "No Stripe account is connected." in told
    assert not ReconciliationRun.objects.exists()
