"""What a billing setting is. Each is declared once, in ``policy.py``; from that declaration come the
model fields of the vendor's row and of the override, the form, the API field, its documentation, its
default and its validation."""

from __future__ import annotations

import builtins
import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models


class Section(models.TextChoices):
    DELIVERY = "delivery", "Delivery"
    TIMING = "timing", "Timing"
    APPROVAL = "approval", "Approval"
    PAYMENTS = "payments", "Payments"
    TAX = "tax", "Tax"
    ADVANCE = "advance", "Billing in advance"
    REMINDERS = "reminders", "Reminders"
    BANK = "bank", "Bank details"


class Unit(models.TextChoices):
    """Units of time a period or a spacing is given in."""

    MINUTE = "minute", "minutes"
    HOUR = "hour", "hours"
    DAY = "day", "days"


class DetailLevel(models.TextChoices):
    SUMMARY = "SUMMARY", "One line a component"
    DETAILED = "DETAILED", "Quantities and unit prices"


@dataclass(frozen=True)
class Setting:
    """One declaration. ``minimum``, ``maximum`` and ``max_length`` are inclusive limits."""

    name: str
    type: type
    default: Any
    label: str
    section: Section
    help: str
    choices: builtins.type[models.TextChoices] | None = None
    minimum: int | None = None
    maximum: int | None = None
    max_length: int = 255
    is_text: bool = False
    check: Callable[[Any], str] | None = None
    """What is wrong with a value, beyond type and limits; empty where nothing is."""

    def model_field(self) -> models.Field[Any, Any]:
        """The column, null meaning "not set here": the default, or for an override the vendor's value."""
        common: dict[str, Any] = {
            "null": True,
            "blank": True,
            "verbose_name": self.label,
            "help_text": self.help,
        }
        return _COLUMNS[self.type](self, common)

    @property
    def limits(self) -> list[Any]:
        low = [] if self.minimum is None else [MinValueValidator(self.minimum)]
        return low if self.maximum is None else [*low, MaxValueValidator(self.maximum)]


def _string_column(setting: Setting, common: dict[str, Any]) -> models.Field[Any, Any]:
    if setting.is_text:
        return models.TextField(max_length=setting.max_length, **common)
    choices = setting.choices.choices if setting.choices else None
    return models.CharField(max_length=setting.max_length, choices=choices, **common)


_COLUMNS: dict[type, Callable[[Setting, dict[str, Any]], models.Field[Any, Any]]] = {
    bool: lambda setting, common: models.BooleanField(**common),
    int: lambda setting, common: models.PositiveIntegerField(validators=setting.limits, **common),
    Decimal: lambda setting, common: models.DecimalField(
        max_digits=7, decimal_places=4, validators=setting.limits, **common
    ),
    str: _string_column,
    tuple: lambda setting, common: ArrayField(models.PositiveSmallIntegerField(validators=setting.limits), **common),
}


def setting(default: Any, label: str, section: Section, help: str, **limits: Any) -> Any:
    """Declares a field of ``BillingPolicy`` as a setting."""
    declared = {"label": label, "section": section, "help": help, **limits}
    return dataclasses.field(default=default, metadata={"setting": declared})


def declared_settings(policy: type, types: dict[str, type]) -> Sequence[Setting]:
    """The settings of a policy class, in the order of their declaration."""
    return tuple(
        Setting(name=field.name, type=types[field.name], default=field.default, **field.metadata["setting"])
        for field in dataclasses.fields(policy)
        if "setting" in field.metadata
    )
