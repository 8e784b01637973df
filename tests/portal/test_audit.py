"""System -> Audit trail: who did what to which, found by person, kind, object and day, page by page."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from billing_portal.accounts.models import Role
from customers.actors import Actor, ActorKind
from customers.events.models import Event, EventKind, SubjectKind
from customers.events.record import Fact, record
from tests.factories import VendorFactory
from tests.portal.scene import NOW, OLIVIA, Scene, make_operator, tell

SignedIn = Callable[..., Client]


def found(client: Client, **filters: str) -> list[str]:
    """What happened, by the links in the column."""
    page = client.get(reverse("portal:audit"), filters).content.decode()
    return re.findall(r'data-label="What"><a [^>]*>([^<]+)</a>', page)


def settings_changed(scene: Scene, at: datetime, actor: Actor = OLIVIA) -> None:
    changes = {"days_until_due": {"before": 30, "after": 14}}
    fact = Fact(EventKind.SETTINGS_CHANGED, SubjectKind.VENDOR, scene.vendor.pk, details={"changes": changes})
    record(scene.vendor, fact, actor=actor, now=at, real_now=at)


def test_newest_first_with_who_what_object_and_change(scene: Scene, signed_in: SignedIn) -> None:
    settings_changed(scene, NOW)
    client = signed_in(Role.READ_ONLY)
    assert found(client)[:3] == ["Billing settings changed", "Payment failed", "Invoice issued"]
    page = client.get(reverse("portal:audit")).content.decode()
    assert "Days until due: 30 → 14." in page
    assert reverse("portal:invoice", args=[scene.invoices["payment-failed"].uuid]) in page


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"who": "operator:1"}, ["Billing settings changed", "Invoice approved"]),
        ({"who": "operator:"}, ["Billing settings changed", "Invoice approved"]),
        ({"who": "gateway:"}, ["Payment failed"]),
        ({"who": "nobody"}, []),
        ({"kind": "invoice.issued"}, ["Invoice issued"]),
        ({"object": "inv-00149", "who": "schedule:"}, ["Invoice issued", "Invoice generated"]),
        ({"object": "in_1initech", "kind": "invoice.approved"}, ["Invoice approved"]),
        ({"object": "initech", "kind": "invoice.approved"}, ["Invoice approved"]),
        ({"object": "inv-00148"}, []),
        ({"object": "nothing"}, []),
        ({"since": "2026-03-03", "until": "2026-03-03", "who": "schedule:"}, ["Invoice issued"]),
        ({"until": "2026-03-01"}, ["Invoice generated"]),
        ({"since": "2026-03-04"}, ["Billing settings changed"]),
    ],
)
def test_filters(scene: Scene, signed_in: SignedIn, filters: dict[str, str], expected: list[str]) -> None:
    settings_changed(scene, datetime(2026, 3, 4, tzinfo=UTC))
    assert found(signed_in(), **filters) == expected


def test_the_id_in_the_address_of_an_invoice_finds_it(scene: Scene, signed_in: SignedIn) -> None:
    assert len(found(signed_in(), object=str(scene.invoices["payment-failed"].uuid))) == 4


def test_days_are_the_vendors(scene: Scene, signed_in: SignedIn) -> None:
    type(scene.vendor).objects.filter(pk=scene.vendor.pk).update(time_zone="Asia/Tokyo")
    settings_changed(scene, datetime(2026, 3, 4, 16, tzinfo=UTC))  # on the 5th in Tokyo
    assert found(signed_in(), since="2026-03-05") == ["Billing settings changed"]


def test_a_day_that_is_none_says_so(scene: Scene, signed_in: SignedIn) -> None:
    page = signed_in().get(reverse("portal:audit"), {"since": "yesterday"}).content.decode()
    assert "Enter a valid date." in page
    assert len(found(signed_in(), since="yesterday")) == 4


def test_page_by_page_with_as_many_queries(scene: Scene, signed_in: SignedIn) -> None:
    client = signed_in()

    def spent() -> int:
        with CaptureQueriesContext(connection) as queries:
            client.get(reverse("portal:audit"))
        return len(queries)

    few = spent()
    for place in range(60):
        tell(scene.invoices["late"], EventKind.INVOICE_RESENT, NOW + timedelta(minutes=place))
    assert spent() == few < 20
    read, before = 0, ""
    while True:
        page = client.get(reverse("portal:audit"), {"before": before}).content.decode()
        read += page.count('data-label="What"')
        older = re.search(r"before=(\d+)[^>]*>Older", page)
        if older is None:
            break
        before = older[1]
    assert read == 64 == Event.objects.filter(vendor=scene.vendor).count()


def test_the_filtered_trail_can_be_taken_along(scene: Scene, signed_in: SignedIn) -> None:
    address = reverse("portal:export", args=["events"])
    answer = signed_in().post(address, {"who": "gateway:", "object": "INV-00149"})
    lines = b"".join(answer).decode().splitlines()  # type: ignore[arg-type]
    assert len(lines) == 2
    assert "invoice.payment_failed" in lines[1]


def test_another_vendor_sees_none_of_it(scene: Scene) -> None:
    stranger = Client()
    stranger.force_login(make_operator(VendorFactory(), Role.OWNER))
    assert found(stranger) == []
    assert found(stranger, object="INV-00149") == found(stranger, object="initech") == []
    assert ActorKind.OPERATOR.value in stranger.get(reverse("portal:audit")).content.decode()
