"""Fields that are read in alike, and numbers as JSON has them."""

from __future__ import annotations

from decimal import Decimal
from typing import overload

from rest_framework import serializers


def text(limit: int | None = None, *, help_text: str = "") -> serializers.CharField:
    return serializers.CharField(
        max_length=limit, required=False, allow_null=True, allow_blank=True, help_text=help_text
    )


def texts(limit: int = 128) -> serializers.ListField:
    return serializers.ListField(child=serializers.CharField(max_length=limit), required=False, allow_null=True)


def decimal() -> serializers.DecimalField:
    return serializers.DecimalField(max_digits=None, decimal_places=None, required=False, allow_null=True)


def whole(help_text: str = "") -> serializers.IntegerField:
    return serializers.IntegerField(required=False, allow_null=True, help_text=help_text)


def anything() -> serializers.JSONField:
    return serializers.JSONField(required=False, allow_null=True)


@overload
def number(value: Decimal) -> int | float: ...
@overload
def number(value: Decimal | None) -> int | float | None: ...
def number(value: Decimal | None) -> int | float | None:
    """As JSON writes it: clients expect a number, not a text."""
    if value is None:
        return None
    return int(value) if value == value.to_integral_value() else float(value)
