"""The page that explains one line of an invoice."""

from collections.abc import Callable
from datetime import UTC, datetime

from django.test import Client
from django.urls import reverse

from billing_portal.accounts.models import Role
from invoicing.models import Invoice
from tests.billing import bill_until
from tests.factories import VendorFactory
from tests.portal.scene import APRIL, Scene, make_operator

SignedIn = Callable[..., Client]


def march_of_acme(scene: Scene) -> Invoice:
    invoices = bill_until(datetime(2026, 4, 2, tzinfo=UTC))
    return next(one for one in invoices if one.customer.name == "acme" and one.period_end == APRIL)


def test_from_the_invoice_to_the_days_behind_a_line(scene: Scene, signed_in: SignedIn) -> None:
    """2,472 requests at 7 cents, measured on the first three days of March."""
    invoice = march_of_acme(scene)
    line = invoice.line_items.get(kind="METERED_COMPONENT")
    address = reverse("portal:line_item", args=[invoice.uuid, line.uuid])
    client = signed_in(Role.READ_ONLY)
    assert f'href="{address}"' in client.get(reverse("portal:invoice", args=[invoice.uuid])).content.decode()
    page = " ".join(client.get(address).content.decode().split())
    assert "$173.04" in page
    assert "2,472 requests x $0.07" in page
    for day, usage in (("1 Mar 2026", "412"), ("2 Mar 2026", "824"), ("3 Mar 2026", "1,236")):
        assert f'<td>{day}</td><td class="bp-num">{usage}</td><td class="bp-num">1</td>' in page
    assert "The days add up to the quantity." in page
    assert "Growth, version 1" in page


def test_lines_of_every_kind_have_a_page(scene: Scene, signed_in: SignedIn) -> None:
    invoice = march_of_acme(scene)
    for line in invoice.line_items.all():
        assert signed_in().get(reverse("portal:line_item", args=[invoice.uuid, line.uuid])).status_code == 200
    other = scene.invoices["generated"]
    assert signed_in().get(reverse("portal:line_item", args=[other.uuid, line.uuid])).status_code == 404
    stranger = Client()
    stranger.force_login(make_operator(VendorFactory(), Role.OWNER))
    assert stranger.get(reverse("portal:line_item", args=[invoice.uuid, line.uuid])).status_code == 404
