"""Tabs, search and pages of the invoice list."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests.factories import CustomerFactory, InvoiceFactory
from tests.portal.scene import NOW, Scene

SignedIn = Callable[..., Client]
PEOPLE_TO_COPY = ("acme", "globex", "initech", "hooli")


def shown(client: Client, **query: str) -> list[str]:
    """The customers of the rows on the page, from top to bottom."""
    page = client.get(reverse("portal:invoices"), query).content.decode()
    return re.findall(r'data-label="Customer">.*?bp-ellipsis">(.*?)</span>', page, re.DOTALL)


@pytest.mark.parametrize(
    ("tab", "customers"),
    [
        ("generated", {"Acme Robotics", "Globex Corporation"}),
        ("approval", {"Globex Corporation"}),
        ("issued", {"Hooli", "Soylent Foods"}),
        ("past-due", {"Soylent Foods"}),
        ("failed", {"Initech", "Stark Industries"}),
        ("voided", {"Umbrella Biotech GmbH"}),
        ("uncollectible", set()),
    ],
)
def test_tabs(scene: Scene, signed_in: SignedIn, tab: str, customers: set[str]) -> None:
    assert set(shown(signed_in(), status=tab)) == customers


def test_tabs_count_what_they_hold(scene: Scene, signed_in: SignedIn) -> None:
    page = signed_in().get(reverse("portal:invoices")).content.decode()
    counts = dict(re.findall(r'href="\?status=([\w-]*)".*?bp-count">(\d+)<', page, re.DOTALL))
    assert counts == {
        "": "13", "generated": "2", "approval": "1", "issued": "2", "open": "3", "past-due": "1",
        "failed": "2", "paid": "6", "disputed": "0", "paused": "0", "voided": "1", "uncollectible": "0",
    }  # fmt: skip


def test_an_unknown_tab_shows_all(scene: Scene, signed_in: SignedIn) -> None:
    assert len(shown(signed_in(), status="nonsense")) == 13


@pytest.mark.parametrize("text", ["INV-00149", "inv-00149", "in_1initech"])
def test_search_by_number(scene: Scene, signed_in: SignedIn, text: str) -> None:
    assert shown(signed_in(), q=text) == ["Initech"]


@pytest.mark.parametrize("text", ["globex", "corp", "Corp glob", "billing@globex"])
def test_search_by_customer(scene: Scene, signed_in: SignedIn, text: str) -> None:
    assert shown(signed_in(), q=text) == ["Globex Corporation"] * 2


def test_search_without_a_result_says_what_to_do(scene: Scene, signed_in: SignedIn) -> None:
    page = signed_in().get(reverse("portal:invoices"), {"q": "<b>nope"}).content.decode()
    assert "Nothing found for “&lt;b&gt;nope”" in page
    assert "Show all invoices" in page


def test_pages_hold_every_invoice_once(scene: Scene, signed_in: SignedIn) -> None:
    """Sixty of one moment and the thirteen of the scene, there and back again."""
    for _ in range(60):
        InvoiceFactory(customer=scene.customers["acme"], generated_at=NOW - timedelta(days=3), number="")
    client, seen, address = signed_in(), [], reverse("portal:invoices")
    pages = [address]
    while address:
        page = client.get(address).content.decode()
        seen += re.findall(r'href="/invoices/([0-9a-f-]{36})/"', page)
        older = re.search(r'href="(\?[^"]*before=[^"]*)">Older', page)
        address = reverse("portal:invoices") + older[1].replace("&amp;", "&") if older else ""
        pages.append(address)
    assert len(seen) == len(set(seen)) == 73
    assert len(pages) == 4


def test_newer_leads_back_to_the_page_before(scene: Scene, signed_in: SignedIn) -> None:
    for day in range(60):
        InvoiceFactory(customer=scene.customers["acme"], generated_at=NOW - timedelta(days=100 + day), number="")
    client = signed_in()

    def follow(page: str, word: str) -> str:
        link = re.search(rf'href="(\?[^"]*)">{word}', page)
        assert link
        return client.get(reverse("portal:invoices") + link[1].replace("&amp;", "&")).content.decode()

    def rows(page: str) -> list[str]:
        return re.findall(r'href="/invoices/([0-9a-f-]{36})/"', page)

    first = client.get(reverse("portal:invoices")).content.decode()
    second = follow(first, "Older")
    third = follow(second, "Older")
    assert rows(follow(third, "Newer")) == rows(second)
    assert rows(follow(follow(third, "Newer"), "Newer")) == rows(first)


@pytest.mark.parametrize("position", ["nonsense", "1_x", "_", "9" * 40 + "_1", "-5_1"])
def test_a_position_that_makes_no_sense_is_not_an_error(scene: Scene, signed_in: SignedIn, position: str) -> None:
    client = signed_in()
    for direction in ("before", "after"):
        assert client.get(reverse("portal:invoices"), {direction: position}).status_code == 200


@pytest.mark.parametrize("screen", ["invoices", "customers", "dashboard"])
def test_more_rows_need_no_more_queries(scene: Scene, signed_in: SignedIn, screen: str) -> None:
    client = signed_in()

    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert client.get(reverse(f"portal:{screen}")).status_code == 200
        return len(captured)

    few = queries()
    for name in PEOPLE_TO_COPY:
        twin = CustomerFactory(vendor=scene.vendor, name=f"{name}-twin")
        InvoiceFactory(customer=twin, number="", is_approved=False, next_action="approve", next_action_at=None)
        InvoiceFactory(customer=twin, number="", next_action_at=NOW)
    assert queries() == few
    assert few < 25
