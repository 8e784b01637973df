"""What an invoice says of its parties is frozen when it is made."""

from __future__ import annotations

from typing import Any

from customers.contact import CONTACT_FIELDS
from customers.customer import Customer


def snapshot_of(customer: Customer) -> dict[str, Any]:
    """Who is billed, frozen: the document says what was true when it was made."""
    return {name: getattr(customer, name) for name in ("name", "display_name", "tax_exempt", *CONTACT_FIELDS)}
