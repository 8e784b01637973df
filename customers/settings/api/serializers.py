"""Billing settings on the wire, made from their declarations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Annotated, Any, NotRequired, TypedDict

from rest_framework import serializers

from customers.api.base import StrictSerializer
from customers.settings.declaration import Setting
from customers.settings.policy import SETTINGS, BillingPolicy
from customers.settings.warnings import warnings_for

# Fields of answers that may be sent back without effect.
ANSWER_ONLY = frozenset({"alternate_sendgrid_template_id", "warnings", "overridden", "rescheduled"})


def settings_shape(policy: BillingPolicy) -> dict[str, Any]:
    """The value of every setting that applies, and why some of them do nothing."""
    values = {setting.name: _on_the_wire(getattr(policy, setting.name)) for setting in SETTINGS}
    return {**values, "alternate_sendgrid_template_id": None, "warnings": warnings_for(policy)}


def _on_the_wire(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == int(value) else float(value)
    return list(value) if isinstance(value, tuple) else value


def given(data: Any) -> Mapping[str, Any]:
    """The settings in a body. What they may be is ``customers.settings.parsing``'s to say."""
    if data is None:
        return {}
    if not isinstance(data, Mapping):
        raise serializers.ValidationError('Send an object, for example {"charges_enabled": true}.')
    return {name: value for name, value in data.items() if name not in ANSWER_ONLY}


def _limits(setting: Setting) -> dict[str, Any]:
    return {"min_value": setting.minimum or 0, "max_value": setting.maximum}


_FIELDS: dict[type, Callable[[Setting, dict[str, Any]], serializers.Field[Any, Any, Any, Any]]] = {
    bool: lambda setting, common: serializers.BooleanField(**common),
    int: lambda setting, common: serializers.IntegerField(**_limits(setting), **common),
    Decimal: lambda setting, common: serializers.FloatField(**_limits(setting), **common),
    str: lambda setting, common: (
        serializers.ChoiceField(choices=setting.choices.choices, **common)
        if setting.choices
        else serializers.CharField(max_length=setting.max_length, allow_blank=True, **common)
    ),
    tuple: lambda setting, common: serializers.ListField(child=serializers.IntegerField(**_limits(setting)), **common),
}


def _declared(setting: Setting) -> serializers.Field[Any, Any, Any, Any]:
    common = {"required": False, "allow_null": True, "label": setting.label, "help_text": setting.help}
    return _FIELDS[setting.type](setting, common)


# For the schema: every setting, with its type, limits and help. Null: not set here.
BillingSettingsInput = type(
    "BillingSettingsInput",
    (StrictSerializer,),
    {"ignored": ANSWER_ONLY, **{setting.name: _declared(setting) for setting in SETTINGS}},
)

_ANSWERED: dict[type, Any] = {bool: bool, int: int, Decimal: float, str: str, tuple: list[int]}

BillingSettingsAnswer: Any = TypedDict(  # Computed, so that no setting is declared twice.
    "BillingSettingsAnswer",
    {
        **{s.name: Annotated[s.choices or _ANSWERED[s.type], s.help] for s in SETTINGS},  # type: ignore[misc]
        "alternate_sendgrid_template_id": None,
        "warnings": Annotated[dict[str, str], "By field, why its present value has no effect."],
        "overridden": NotRequired[Annotated[list[str], "Of a customer: the fields set for it alone."]],
        "rescheduled": NotRequired[Annotated[int, "After a change: how many planned steps moved because of it."]],
    },
)
