"""Vendors are kept apart by one mechanism: in the API and the portal every query starts with
``Model.objects.of(vendor)``. This walks their syntax trees and finds any that starts otherwise."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("billing_portal", "payments", "invoicing", "customers")
MANAGERS = {"objects", "_default_manager", "_base_manager"}

# Where a query may start otherwise, and why.
ALLOWED = {
    ("billing_portal/api/authentication.py", "ApiKey.objects.valid"): "This is where the vendor is found.",
    ("billing_portal/api/idempotency.py", "IdempotentRequest.objects.filter"): (
        "Old answers of all vendors are forgotten together."
    ),
    ("invoicing/invoices/api/views.py", "Invoice.objects.select_related"): (
        "A PDF link is signed for one invoice, by which its vendor is known."
    ),
    ("billing_portal/portal/access.py", "Membership.objects.filter"): "An operator's own: here the vendor is found.",
    ("billing_portal/portal/second_factor.py", "Operator.objects.filter"): (
        "Who gave the right password in this session; which vendor to work for is chosen afterwards."
    ),
    ("billing_portal/portal/first_steps.py", "Vendor.objects.filter"): "The operator's own vendor, with what it has.",
    ("billing_portal/portal/health.py", "Vendor.objects.filter"): "One row to hang questions on, the vendor's own.",
    ("billing_portal/portal/bounded.py", "Vendor.objects.filter"): "One row to hang counts on, the vendor's own.",
    ("billing_portal/portal/exports/lists.py", "Payment.objects.filter"): "Those of the vendor's invoices.",
    ("billing_portal/portal/exports/lists.py", "Refund.objects.filter"): "Those of the vendor's invoices.",
    ("billing_portal/portal/imports.py", "MeteredComponent.objects.filter"): "Those of the vendor's price plans.",
    ("billing_portal/portal/customer_facts.py", "MeasurementMapping.objects.filter"): (
        "A mapping has no vendor of its own; it is asked about customers found within the vendor."
    ),
    ("billing_portal/portal/invoices.py", "InvoiceDocument.objects.filter"): (
        "A document has no vendor of its own; it is that of an invoice found within the vendor."
    ),
}


def guarded_files() -> list[Path]:
    files = {
        *(ROOT / "billing_portal" / "portal").rglob("*.py"),
        *(path for room in ROOMS for folder in (ROOT / room).rglob("api") for path in folder.rglob("*.py")),
    }
    return sorted(path for path in files if "migrations" not in path.parts)


def query_starts(tree: ast.AST) -> Iterator[str]:
    """``Model.objects.method`` for each use of a manager; a bare ``Model.objects`` counts as one too."""
    followed = {id(node.value): node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in MANAGERS:
            yield f"{ast.unparse(node)}.{followed.get(id(node), '')}"


def test_there_is_something_to_guard() -> None:
    names = {str(path.relative_to(ROOT)) for path in guarded_files()}
    assert {"customers/api/views.py", "billing_portal/api/customers.py", "customers/settings/api/views.py"} <= names


@pytest.mark.parametrize("path", guarded_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_query_starts_within_a_vendor(path: Path) -> None:
    name = str(path.relative_to(ROOT))
    starts = query_starts(ast.parse(path.read_text()))
    astray = [start for start in starts if not start.endswith(".objects.of") and (name, start) not in ALLOWED]
    assert astray == []


def test_every_exception_is_still_needed() -> None:
    found = {
        (str(path.relative_to(ROOT)), start)
        for path in guarded_files()
        for start in query_starts(ast.parse(path.read_text()))
    }
    assert set(ALLOWED) <= found


@pytest.mark.parametrize(
    "code",
    [
        "Invoice.objects.filter(pk=1)",
        "Invoice.objects.all()",
        "rows = Invoice.objects",
        "Invoice._default_manager.of(vendor)",
        "type(self).objects.get(pk=1)",
    ],
)
def test_a_stray_query_is_seen(code: str) -> None:
    assert [start for start in query_starts(ast.parse(code)) if not start.endswith(".objects.of")]
