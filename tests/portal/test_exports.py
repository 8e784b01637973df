"""Every list as CSV: what it shows, for whom, and nothing that a spreadsheet would carry out."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from billing_portal.accounts.models import Role
from billing_portal.portal.exports import table
from billing_portal.portal.exports.lists import EXPORTS
from billing_portal.portal.exports.table import shielded, unshielded
from customers.models import Customer, Event, Vendor
from invoicing.invoices.ledger import Refund
from tests.factories import CustomerFactory, InvoiceFactory, VendorFactory
from tests.portal.deliveries import failing_delivery
from tests.portal.scene import NOW, OLIVIA, Scene, make_operator
from tests.portal.test_screens import comparison, imported_file

SignedIn = Callable[..., Client]


def taken(client: Client, name: str, **asked: Any) -> list[dict[str, str]]:
    response = client.post(reverse("portal:export", args=[name]), asked)
    assert response.status_code == 200
    text = b"".join(response.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    return list(csv.DictReader(io.StringIO(text)))


def test_what_the_list_shows_comes_down(scene: Scene, signed_in: SignedIn) -> None:
    client = signed_in(Role.READ_ONLY)
    rows = taken(client, "invoices")
    assert len(rows) == 13
    [failed] = taken(client, "invoices", q="INV-00149")
    assert (failed["customer"], failed["currency"], failed["amount_due"]) == ("initech", "USD", "273.44")
    assert failed["generated_at"] == "2026-03-02T00:00:00+00:00"
    assert failed["voided_at"] == ""
    assert {row["status"] for row in taken(client, "invoices", status="failed")} == {
        "PAYMENT_FAILED", "INVOICING_FAILED",
    }  # fmt: skip
    ticked = [scene.invoices[key].uuid for key in ("late", "voided")]
    assert {row["number"] for row in taken(client, "invoices", which="ticked", invoice=ticked)} == {
        "INV-00131", "INV-00128",
    }  # fmt: skip
    assert [row["name"] for row in taken(client, "customers", q="acme")] == ["acme"]


def test_what_is_searched_for_comes_down(scene: Scene, signed_in: SignedIn) -> None:
    client = signed_in()
    assert {row["invoice"] for row in taken(client, "payments", q="INV-00149")} == {"INV-00149"}
    assert {row["customer"] for row in taken(client, "payments", q="initech")} == {"initech"}
    assert taken(client, "refunds", q="initech") == []
    assert len(taken(client, "unattributed-usage", q="account=massive-dynamic")) == 1
    assert taken(client, "unattributed-usage", q="account=other") == taken(client, "unattributed-usage", q="x") == []
    assert taken(client, "meters", q="zzz") == taken(client, "meters", state="archived") == []
    assert [row["name"] for row in taken(client, "meters", q="req")] == ["requests"]
    every = taken(client, "scheduled-work")
    assert len(every) > len(taken(client, "scheduled-work", kind="cycle")) > 0
    with mock.patch.object(table, "CHUNK", 3):
        assert taken(client, "scheduled-work") == every


def test_times_name_their_offset_and_files_the_vendor_and_the_day(scene: Scene, signed_in: SignedIn) -> None:
    Vendor.objects.filter(pk=scene.vendor.pk).update(time_zone="Asia/Kolkata")
    response = signed_in().post(reverse("portal:export", args=["invoices"]), {"q": "INV-00149"})
    assert response["Content-Disposition"] == 'attachment; filename="northwind-invoices-2026-03-03.csv"'
    assert b"2026-03-02T05:30:00+05:30" in b"".join(response.streaming_content)  # type: ignore[attr-defined]


def test_it_is_noted_who_took_what(scene: Scene, signed_in: SignedIn) -> None:
    taken(signed_in(Role.SUPPORT), "invoices", status="failed", q="init")
    [noted] = Event.objects.of(scene.vendor).filter(kind="list.exported")
    assert noted.actor_label == "support@northwind.example"
    assert noted.details["filters"] == {"status": "failed", "q": "init"}
    address = reverse("portal:export", args=["invoices"])
    assert signed_in().get(address).status_code == 405
    assert Client().post(address).status_code == 302
    assert signed_in().post(reverse("portal:export", args=["api-keys"])).status_code == 404
    assert Event.objects.filter(kind="list.exported").count() == 1


@pytest.mark.parametrize("name", EXPORTS)
def test_each_list_has_its_rows_and_nobody_elses(scene: Scene, signed_in: SignedIn, name: str) -> None:
    failing_delivery(scene.vendor)
    comparison(scene)
    imported_file(scene)
    Refund.objects.create(
        invoice=scene.invoices["acme-january"], amount=100, actor_kind=OLIVIA.kind, actor_label=OLIVIA.label,
        created_at=NOW,
    )  # fmt: skip
    asked = {"customer": "acme"} if name == "measurements" else {}
    rows = taken(signed_in(), name, **asked)
    assert rows or name in ("next-run", "stripe-events", "coupons")
    stranger = Client()
    stranger.force_login(make_operator(VendorFactory(), Role.OWNER))
    theirs = taken(stranger, name, **asked)
    assert len(theirs) == (1 if name in ("events", "operators") else 0)  # the export itself, and who took it


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "'=1", "plain", "it's", "'quoted'"])
def test_a_text_never_is_a_formula_and_comes_back_whole(scene: Scene, signed_in: SignedIn, text: str) -> None:
    assert not shielded(text).startswith(("=", "+", "-", "@", "\t", "\r"))
    assert unshielded(shielded(text)) == text
    Customer.objects.of(scene.vendor).filter(name="acme").update(display_name=text)
    [row] = taken(signed_in(), "customers", q="acme")
    assert row["display_name"] == shielded(text)


def test_a_long_list_is_read_in_pieces_with_as_many_queries(scene: Scene, signed_in: SignedIn) -> None:
    client = signed_in()
    few = queries_of(client)
    for _ in range(6):
        twin = CustomerFactory(vendor=scene.vendor)
        InvoiceFactory(customer=twin, number="", generated_at=NOW - timedelta(days=9))
    with mock.patch.object(table, "CHUNK", 4):
        assert queries_of(client) == few


def queries_of(client: Client) -> int:
    with CaptureQueriesContext(connection) as captured:
        taken(client, "invoices")
    return len(captured)
