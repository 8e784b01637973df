"""Small checks that meters and price plans share."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from django.db.models import TextChoices

from customers.errors import Invalid
from customers.money import LARGEST_MINOR


def one_of(field: str, value: Any, choices: type[TextChoices]) -> Any:
    """The value as a member of ``choices``, or ``Invalid`` naming the field and what is allowed."""
    if value not in choices.values:
        raise Invalid({field: f"{value!r} is not one of {', '.join(choices.values)}."})
    return choices(value)


def code_name(values: Mapping[str, Any], what: str, reserved: Collection[str] = ()) -> str:
    """A name that can stand in an address."""
    name = str(values.get("name") or "").strip()
    if not name:
        raise Invalid({"name": f"Give the {what} a unique code name."})
    if "/" in name or not name.isprintable() or name in {".", ".."}:
        raise Invalid({"name": "A code name stands in addresses: leave out '/' and control characters."})
    if name in reserved:
        raise Invalid({"name": f"{name!r} is an address of the API; choose another name."})
    return name


def refuse_unsupported(values: Mapping[str, Any], fields: Mapping[str, str], prefix: str = "") -> None:
    """Fields that are not built yet: said plainly instead of being ignored, because they move money."""
    for name, instead in fields.items():
        if values.get(name) not in (None, [], {}, 0):
            raise Invalid({f"{prefix}{name}": f"Not supported yet. {instead}".strip()})


def minor_units(field: str, value: Any) -> int:
    """A whole amount that a column can keep."""
    if value != int(value) or not 0 <= value <= LARGEST_MINOR:
        raise Invalid({field: "Give a whole number of cents (minor units) from 0 on."})
    return int(value)


def frequency(field: str, value: Any) -> int:
    """Every how many billing cycles."""
    if value != int(value) or not 1 <= value <= 120:
        raise Invalid({field: "Give a whole number of billing cycles, from 1 to 120."})
    return int(value)
