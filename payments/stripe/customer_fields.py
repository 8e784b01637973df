"""What is Stripe told of a customer? The one map from our fields to Stripe's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from babel import Locale

from customers.contact import ContactFields
from customers.customer import Customer

LONGEST_NAME = 256
LONGEST_PHONE = 20

# A change of one of these is a change of what Stripe is told.
FIELDS = frozenset(
    {
        "name",
        "display_name",
        "email",
        "phone",
        "address_line_1",
        "address_line_2",
        "city",
        "state",
        "zipcode",
        "country",
    }
)


def request_for(customer: Customer) -> dict[str, Any]:
    """The parameters of a new Stripe customer. What is not known is left out."""
    said = {**_said(customer), "address": _filled(_address(customer))}
    return {**_filled(said), "metadata": _marks(customer)}


def update_for(customer: Customer) -> dict[str, Any]:
    """The parameters that bring a Stripe customer in step: an empty string clears a field there."""
    address = _address(customer)
    return {**_said(customer), "address": address if any(address.values()) else "", "metadata": _marks(customer)}


def not_sent(customer: Customer) -> list[str]:
    """What Stripe cannot be told, in words."""
    found = []
    if len(customer.phone) > LONGEST_PHONE:
        found.append(f"the phone number, because Stripe takes {LONGEST_PHONE} characters")
    if customer.country.strip() and not country_code(customer.country):
        found.append(f"the country, because {customer.country} is not recognized: give its name or two letters")
    return found


def _said(customer: Customer) -> dict[str, str]:
    return {
        "name": customer.display_name[:LONGEST_NAME],
        "email": customer.email,
        "phone": customer.phone if len(customer.phone) <= LONGEST_PHONE else "",
    }


def _marks(customer: Customer) -> dict[str, str]:
    return {"portal_customer": str(customer.pk), "portal_customer_name": customer.name}


def _address(contact: ContactFields) -> dict[str, str]:
    return {
        "line1": contact.address_line_1,
        "line2": contact.address_line_2,
        "city": contact.city,
        "state": contact.state,
        "postal_code": contact.zipcode,
        "country": country_code(contact.country),
    }


def country_code(country: str) -> str:
    """Stripe takes two letters; people also write the name. Empty when neither is recognized."""
    names: dict[str, str] = {n.casefold(): code for code, n in Locale("en").territories.items() if len(code) == 2}
    wanted = country.strip()
    if wanted.upper() in names.values():
        return wanted.upper()
    return names.get(wanted.casefold(), "")


def _filled(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value}
