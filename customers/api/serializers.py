"""How customers are written on the wire: what is read in, and what is answered."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, TypedDict

from rest_framework import serializers

from customers.api.base import StrictSerializer
from customers.api.paging import CursorQuery
from customers.customer import Customer, CustomerMetadata, MeasurementMapping, TaxExempt
from customers.directory import ANY_VALUE, Rule


class EmailList(serializers.ListField):
    """A list of addresses; or one text with commas, which is how answers show it."""

    child = serializers.EmailField(max_length=512)

    def to_internal_value(self, data: Any) -> list[Any]:
        if isinstance(data, str):
            data = [part.strip() for part in data.split(",") if part.strip()]
        addresses: list[Any] = super().to_internal_value(data)
        return addresses


def _text(limit: int, *, help_text: str = "") -> serializers.CharField:
    return serializers.CharField(
        max_length=limit, required=False, allow_null=True, allow_blank=True, help_text=help_text
    )


class ContactInput(StrictSerializer):
    legal_name = _text(256)
    email = serializers.EmailField(
        max_length=512, required=False, allow_null=True, allow_blank=True, help_text="Where invoices are sent."
    )
    secondary_emails = EmailList(
        required=False, allow_null=True, help_text="Receive every e-mail that the first address receives."
    )
    phone = _text(40)
    url = serializers.URLField(max_length=500, required=False, allow_null=True, allow_blank=True)
    logo_url = serializers.URLField(max_length=500, required=False, allow_null=True, allow_blank=True)
    address_line_1 = _text(256)
    address_line_2 = _text(256)
    city = _text(128)
    state = _text(128)
    zipcode = _text(32)
    country = _text(64)
    vat_id = _text(64)

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        given = super().to_internal_value(data)
        return {name: _empty(name) if value is None else value for name, value in given.items()}


def _empty(name: str) -> Any:
    return [] if name == "secondary_emails" else ""


class MappingInput(StrictSerializer):
    # Answers carry the id beside these two.
    ignored = frozenset({"id"})

    label = serializers.CharField(  # type: ignore[assignment]
        max_length=128, help_text="The measurement's label to look at."
    )
    value_regex = serializers.CharField(
        max_length=512,
        default=ANY_VALUE,
        trim_whitespace=False,
        help_text="RE2 expression that the label's whole value must match. Left out: any value.",
    )

    def to_internal_value(self, data: Any) -> Rule:
        given = super().to_internal_value(data)
        return Rule(**given)


class MetadataInput(StrictSerializer):
    property = serializers.CharField(max_length=128)
    value = _text(1024)


class TagField(serializers.CharField):
    """A text; or ``{"tag": text}``, which is how answers show it."""

    def to_internal_value(self, data: Any) -> str:
        text: str = super().to_internal_value(data["tag"] if isinstance(data, dict) and "tag" in data else data)
        return text


class CustomerInput(StrictSerializer):
    """What may be said about a customer, at its creation and later."""

    ignored = frozenset({"vendor_id"})

    name = serializers.CharField(
        max_length=128, required=False, help_text="Unique code name, for example your own customer id."
    )
    display_name = serializers.CharField(max_length=256, required=False, allow_blank=True)
    contact_info = ContactInput(required=False, allow_null=True)
    tags = serializers.ListField(child=TagField(max_length=128), required=False, allow_null=True)
    created_at = serializers.DateTimeField(required=False)
    tax_exempt = serializers.ChoiceField(
        choices=TaxExempt.choices,
        required=False,
        help_text="`exempt` and `reverse`: invoices carry no tax of ours. `reverse`: the customer accounts for it, "
        "which the invoice says; it takes a `vat_id`.",
    )
    review_reason = serializers.CharField(
        max_length=256,
        required=False,
        allow_blank=True,
        help_text="Flags the customer: why a person should look at each invoice before it goes out. Empty: no flag.",
    )
    measurement_mappings = MappingInput(many=True, required=False)


class UpdateCustomerInput(CustomerInput):
    """Only the fields given change; ``measurement_mappings`` replaces them all."""


def metadata_values(given: list[dict[str, Any]]) -> dict[str, str]:
    return {entry["property"]: entry.get("value") or "" for entry in given}


class MappingQuery(CursorQuery):
    filters = {"label": "label"}

    label = serializers.CharField(required=False)  # type: ignore[assignment]


class MetadataQuery(CursorQuery):
    filters = {"property": "property"}

    property = serializers.CharField(required=False)


class ContactAnswer(TypedDict):
    legal_name: str | None
    email: str | None
    secondary_emails: Annotated[str | None, "Addresses, separated by commas."]
    phone: str | None
    url: str | None
    logo_url: str | None
    address_line_1: str | None
    address_line_2: str | None
    city: str | None
    state: str | None
    zipcode: str | None
    country: str | None
    vat_id: str | None


class TagAnswer(TypedDict):
    tag: str


class MappingAnswer(TypedDict):
    id: int
    label: str
    value_regex: str


class MetadataAnswer(TypedDict):
    property: str
    value: str


class CustomerAnswer(TypedDict):
    name: str
    display_name: str
    contact_info: ContactAnswer
    created_at: datetime
    tags: list[TagAnswer]
    tax_exempt: TaxExempt
    review_reason: str
    measurement_mappings: list[MappingAnswer]


def customer_shape(customer: Customer) -> CustomerAnswer:
    """``measurement_mappings`` should be prefetched where many are shown."""
    return {
        "name": customer.name,
        "display_name": customer.display_name,
        "contact_info": contact_shape(customer),
        "created_at": customer.created_at,
        "tags": [{"tag": tag} for tag in customer.tags],
        "tax_exempt": TaxExempt(customer.tax_exempt),
        "review_reason": customer.review_reason,
        "measurement_mappings": [mapping_shape(mapping) for mapping in customer.measurement_mappings.all()],
    }


def contact_shape(customer: Customer) -> ContactAnswer:
    return {
        "legal_name": customer.legal_name or None,
        "email": customer.email or None,
        "secondary_emails": ", ".join(customer.secondary_emails) or None,
        "phone": customer.phone or None,
        "url": customer.url or None,
        "logo_url": customer.logo_url or None,
        "address_line_1": customer.address_line_1 or None,
        "address_line_2": customer.address_line_2 or None,
        "city": customer.city or None,
        "state": customer.state or None,
        "zipcode": customer.zipcode or None,
        "country": customer.country or None,
        "vat_id": customer.vat_id or None,
    }


def mapping_shape(mapping: MeasurementMapping) -> MappingAnswer:
    return {"id": mapping.pk, "label": mapping.label, "value_regex": mapping.value_regex}


def metadata_shape(row: CustomerMetadata) -> MetadataAnswer:
    return {"property": row.property, "value": row.value}
