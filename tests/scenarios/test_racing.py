"""Two beats and four workers over two thousand due invoices: everything happens, and everything once."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from django.db import connection
from django.db.models import Count
from django.utils import timezone

from billing_portal.machine.environment import PROJECT
from customers.models import BillingSettings, Customer, Event, Vendor
from invoicing.models import Invoice, IssueAttempt, LineItem, NumberSeries, OutgoingEmail
from tests.factories import CustomerFactory, InvoiceFactory, LineItemFactory, VendorFactory

pytestmark = pytest.mark.django_db(transaction=True)

CUSTOMERS = 50
# Making PDFs takes most of the time, so that only every fifth invoice is e-mailed; the others are kept here.
MAILED, KEPT = 400, 1_600


@pytest.mark.xdist_group("up")
def test_each_invoice_is_dealt_with_once(tmp_path: Path) -> None:
    mailing, keeping = vendor("northwind", delivers=True), vendor("southwind", delivers=False)
    due_invoices(mailing, MAILED)
    due_invoices(keeping, KEPT)
    run(tmp_path)

    assert outcome(mailing) == [("INVOICE_ISSUED", "", MAILED)]
    assert outcome(keeping) == [("INVOICE_GENERATED", "", KEPT)]
    assert once(Event.objects.filter(kind="invoice.issued").values("subject_id"), MAILED)
    assert once(Event.objects.filter(kind="invoice.kept").values("subject_id"), KEPT)
    assert once(IssueAttempt.objects.filter(state="succeeded").values("invoice_id"), MAILED + KEPT)
    assert once(OutgoingEmail.objects.filter(state="succeeded").values("invoice_id"), MAILED)
    assert Event.objects.filter(subject_kind="invoice").count() == IssueAttempt.objects.count() == MAILED + KEPT

    numbers = sorted(Invoice.objects.exclude(number="").values_list("number", flat=True))
    assert numbers == [f"INV-{n:05d}" for n in range(1, MAILED + 1)]
    assert NumberSeries.objects.get().next_value == MAILED + 1
    check_mails(tmp_path / "mail")


def outcome(vendor: Vendor) -> list[tuple[str, str, int]]:
    rows = Invoice.objects.of(vendor).values_list("status", "next_action")
    return list(rows.annotate(count=Count("pk")))


def once(rows, expected: int) -> bool:  # type: ignore[no-untyped-def]
    """Whether so many invoices are among them, each exactly once."""
    counts = rows.annotate(count=Count("pk")).values_list("count", flat=True)
    return list(counts) == [1] * expected


def vendor(name: str, *, delivers: bool) -> Vendor:
    made: Vendor = VendorFactory.create(name=name, display_name=name, is_test=False)
    delivery = {"should_send_invoice_to_customers": delivers}
    BillingSettings.objects.create(vendor=made, updated_at=timezone.now(), **delivery)
    return made


def due_invoices(vendor: Vendor, count: int) -> None:
    """All of them at once, and each customer has many."""
    customers = Customer.objects.bulk_create(CustomerFactory.build(vendor=vendor) for _ in range(CUSTOMERS))
    now = timezone.now()
    fields = {"number": "", "paid_at": None, "issued_at": None, "next_action_at": now - timedelta(minutes=1)}
    drawn = [InvoiceFactory.build(customer=customers[n % CUSTOMERS], **fields) for n in range(count)]
    made = Invoice.objects.bulk_create(drawn)
    LineItem.objects.bulk_create(LineItemFactory.build(invoice=invoice, position=0) for invoice in made)


def run(folder: Path) -> None:
    address = os.environ["DATABASE_URL"].rpartition("/")[0] + f"/{connection.settings_dict['NAME']}"
    env = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "billing_portal.settings.development",
        "DATABASE_URL": address,
        "EMAIL_FILE_PATH": str(folder / "mail"),
        "CLAIM_BATCH": "200",
        "PYTHONWARNINGS": "ignore",
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.scenarios.racing.run"], cwd=PROJECT, env=env, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()[-2000:]


def check_mails(folder: Path) -> None:
    """One for each invoice that goes out, with its own PDF."""
    sent = [message_from_bytes(path.read_bytes(), policy=policy.default) for path in sorted(folder.iterdir())]
    told = {next(mail.iter_attachments()).get_filename() for mail in sent}
    assert len(sent) == len(told) == len({mail["Message-ID"] for mail in sent}) == MAILED
