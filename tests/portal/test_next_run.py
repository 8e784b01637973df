"""Billing -> Next run: worked out when asked, shown with what changed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from billing_portal.accounts.models import Role
from invoicing.models import ComingBill
from tests.factories import VendorFactory
from tests.portal.scene import Scene, make_operator

pytestmark = pytest.mark.django_db


def test_the_run_is_worked_out_and_shown(scene: Scene, signed_in: Callable[..., Client]) -> None:
    client = signed_in(Role.OWNER)
    page = client.post(reverse("portal:work_out_next_run"), follow=True).content.decode()
    bills = list(ComingBill.objects.of(scene.vendor))
    assert bills
    for bill in bills:
        assert reverse("portal:customer", args=[bill.customer.name]) in page
    assert "together" in page


def test_who_only_reads_works_nothing_out_and_strangers_see_none(
    scene: Scene, signed_in: Callable[..., Client], client: Client
) -> None:
    assert signed_in(Role.READ_ONLY).post(reverse("portal:work_out_next_run")).status_code == 403
    assert not ComingBill.objects.exists()
    signed_in(Role.OWNER).post(reverse("portal:work_out_next_run"))
    client.force_login(make_operator(VendorFactory.create(), Role.OWNER))
    assert "Nothing is worked out yet" in client.get(reverse("portal:next_run")).content.decode()
