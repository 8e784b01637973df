"""Search: any number, name, e-mail address or id that a customer might quote, of this vendor alone."""

import re
from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from billing_portal.accounts.models import Role
from invoicing.invoices.ledger import Dispute, Refund
from invoicing.models import Subscription
from payments.models import StripeEvent
from tests.factories import CustomerFactory, VendorFactory
from tests.portal.scene import Scene, collect, make_operator

SignedIn = Callable[..., Client]


def found(client: Client, text: str) -> list[str]:
    page = client.get(reverse("portal:find"), {"q": text}, headers={"HX-Request": "true"}).content.decode()
    return re.findall(r'<span class="bp-strong bp-ellipsis">([^<]+)</span>', page)


def everything(scene: Scene) -> dict[str, str]:
    """What is typed, and the first that is found."""
    collected = collect(scene)
    Refund.objects.create(
        invoice=collected, state="succeeded", amount=100, external_id="re_1wayne", actor_kind="operator",
        actor_label="o", created_at=timezone.now(),
    )  # fmt: skip
    Dispute.objects.create(
        invoice=collected, external_id="du_1wayne", state="won", amount=100, opened_at=timezone.now()
    )
    StripeEvent.objects.create(
        vendor=scene.vendor, event_id="evt_1", account_id=scene.connection.account_id, livemode=False,
        type="invoice.paid", body={}, received_at=timezone.now(),
    )  # fmt: skip
    failed = scene.invoices["payment-failed"]
    subscription = Subscription.objects.get(customer=scene.customers["hooli"])
    line = failed.line_items.first()
    assert line is not None
    return {
        "INV-00149": "INV-00149",
        "inv-00149": "INV-00149",
        str(failed.uuid): "INV-00149",
        str(line.uuid): "INV-00149",
        "in_1initech": "INV-00149",
        "pi_1initech": "INV-00149",
        f"ch_{scene.vendor.name}": "INV-00120",
        "re_1wayne": "INV-00120",
        "du_1wayne": "INV-00120",
        "evt_1": "invoice.paid",
        f"cus_{scene.vendor.name}_acme": "Acme Robotics",
        "accounts@initech": "Initech",
        "umbr": "Umbrella Biotech GmbH",
        "biotech": "Umbrella Biotech GmbH",
        str(subscription.uuid): "Hooli",
        "growth": "Growth (version 1)",
        "requests": "API requests",
        "reconc": "Reconciliation",
        "payments": "Payments",
    }


def test_whatever_a_customer_quotes_is_found(scene: Scene, signed_in: SignedIn) -> None:
    client = signed_in(Role.READ_ONLY)
    wanted = everything(scene)
    first = {text: (found(client, text) or [""])[0] for text in wanted}
    assert {text: name.removesuffix(" (version 1)") for text, name in first.items()} == {
        text: name.removesuffix(" (version 1)") for text, name in wanted.items()
    }


def test_another_vendors_ids_find_nothing(scene: Scene) -> None:
    wanted = everything(scene)
    stranger = Client()
    stranger.force_login(make_operator(VendorFactory(), Role.OWNER))
    theirs = {text: names for text in wanted if (names := found(stranger, text))}
    assert theirs == {"reconc": ["Reconciliation"], "payments": ["Payments", "Invoicing &amp; Payments"]}


@pytest.mark.parametrize("text", ["", " ", "%", "_", "\\", "'", "in_", "x" * 500, "\x00", "🙂", "a & b | !"])
def test_odd_things_find_nothing_and_break_nothing(scene: Scene, signed_in: SignedIn, text: str) -> None:
    assert found(signed_in(), text) == []


def test_as_many_queries_whatever_there_is(scene: Scene, signed_in: SignedIn) -> None:
    client = signed_in()

    def spent() -> int:
        with CaptureQueriesContext(connection) as queries:
            found(client, "ac")
        return len(queries)

    few = spent()
    for place in range(20):
        CustomerFactory(vendor=scene.vendor, name=f"ac-{place}", display_name=f"Ace {place}")
    assert spent() == few < 15
    assert len([name for name in found(client, "ac-") if name.startswith("Ace ")]) == 6


def test_without_scripts_it_is_a_page(scene: Scene, signed_in: SignedIn) -> None:
    page = signed_in().get(reverse("portal:find"), {"q": "<b>acme"}).content.decode()
    assert "<h1>Search</h1>" in page
    assert "<b>acme" not in page
