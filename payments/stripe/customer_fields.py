"""What is Stripe told of a customer? The one map from our fields to Stripe's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from customers.contact import ContactFields
from customers.countries import country_code
from customers.customer import Customer, TaxExempt
from customers.vat import EUROPEAN, compact, prefix_of

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
        "tax_exempt",
        "vat_id",
    }
)

# Stripe's kinds of tax ids: by the country a VAT id says it is of, else by the country of the customer.
_KINDS_BY_PREFIX = {**dict.fromkeys(EUROPEAN, "eu_vat"), "GB": "gb_vat", "CH": "ch_vat", "NO": "no_vat"}
_KINDS_BY_COUNTRY = {"AU": "au_abn", "CA": "ca_bn", "IN": "in_gst", "NZ": "nz_gst", "SG": "sg_gst", "US": "us_ein"}


def request_for(customer: Customer) -> dict[str, Any]:
    """The parameters of a new Stripe customer. What is not known is left out."""
    said = {**_said(customer), "address": _filled(_address(customer))}
    tax_id = tax_id_of(customer)
    if customer.tax_exempt != TaxExempt.NONE:
        said["tax_exempt"] = customer.tax_exempt
    return {**_filled(said), **({"tax_id_data": [tax_id]} if tax_id else {}), "metadata": _marks(customer)}


def update_for(customer: Customer) -> dict[str, Any]:
    """The parameters that bring a Stripe customer in step: an empty string clears a field there."""
    address = _address(customer)
    return {
        **_said(customer),
        "tax_exempt": customer.tax_exempt,
        "address": address if any(address.values()) else "",
        "metadata": _marks(customer),
    }


def tax_id_of(customer: Customer) -> dict[str, str]:
    """The VAT id as Stripe takes it; empty where there is none of a kind that it knows."""
    if not customer.vat_id:
        return {}
    prefix = prefix_of(customer.vat_id, customer.country)
    kind = _KINDS_BY_PREFIX.get(prefix) or _KINDS_BY_COUNTRY.get(country_code(customer.country), "")
    if not kind:
        return {}
    # American numbers keep their hyphen.
    return {"type": kind, "value": customer.vat_id if kind == "us_ein" else compact(customer.vat_id)}


def not_sent(customer: Customer) -> list[str]:
    """What Stripe cannot be told, in words."""
    found = []
    if len(customer.phone) > LONGEST_PHONE:
        found.append(f"the phone number, because Stripe takes {LONGEST_PHONE} characters")
    if customer.country.strip() and not country_code(customer.country):
        found.append(f"the country, because {customer.country} is not recognized: give its name or two letters")
    if customer.vat_id and not tax_id_of(customer):
        found.append("the VAT id, because it does not say its country and Stripe has to know the kind")
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


def _filled(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value}
