"""The form of VAT ids."""

from __future__ import annotations

import pytest

from customers.actors import SCHEDULE
from customers.directory import update_customer
from customers.errors import Invalid
from customers.vat import problem_with
from tests.factories import START, CustomerFactory


@pytest.mark.parametrize(
    ("vat_id", "country"),
    [
        ("DE123456789", "Germany"),
        ("de 123 456 789", "DE"),
        ("ATU12345678", ""),
        ("EL123456789", "Greece"),
        ("XI123456789", "GB"),
        ("GB 999 9999 73", "United Kingdom"),
        ("CHE-123.456.788 MWST", "CH"),
        ("NL123456789B01", "NL"),
        ("12-3456789", "US"),
        ("ESPJ800101XX1", "Mexico"),  # begins like a Spanish one
        ("29ABCDE1234F1Z5", "India"),
    ],
)
def test_what_is_one(vat_id: str, country: str) -> None:
    assert problem_with(vat_id, country) == ""


@pytest.mark.parametrize(
    ("vat_id", "country"),
    [("DE12345678", "Germany"), ("DE12345678X", ""), ("FR123", "France"), ("X", ""), ("ask the accountant", "")],
)
def test_what_is_none(vat_id: str, country: str) -> None:
    assert "VAT id" in problem_with(vat_id, country)


@pytest.mark.django_db
def test_a_customer_is_not_saved_with_a_wrong_one_nor_with_reverse_charge_without_one() -> None:
    customer = CustomerFactory(country="DE")
    by = {"actor": SCHEDULE, "now": START, "real_now": START}
    for changes in ({"vat_id": "DE1"}, {"tax_exempt": "reverse"}):
        with pytest.raises(Invalid) as refusal:
            update_customer(customer, changes, **by)
        assert list(refusal.value.errors) == ["vat_id"]
    customer.refresh_from_db()
    assert (customer.vat_id, customer.tax_exempt) == ("", "none")
    with pytest.raises(Invalid, match="tax_exempt"):
        update_customer(customer, {"tax_exempt": "perhaps"}, **by)
    update_customer(customer, {"tax_exempt": "reverse", "vat_id": "DE123456789"}, **by)
