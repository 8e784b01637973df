"""The form of the billing settings, made from their one declaration.

``SettingsForm`` is the vendor's. ``OverrideForm`` is a customer's: each row has a switch, "own value";
without it the row inherits. Both answer ``chosen()``: the values to hand to the verb that saves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from django import forms
from django.forms.boundfield import BoundField

from billing_portal.portal import words
from billing_portal.portal.settings_outcome import warnings_in_words
from customers.errors import Invalid
from customers.settings.declaration import Section, Setting
from customers.settings.policy import SETTINGS, BillingPolicy, Source, resolve

UNIT_SUFFIX, LENGTH_SUFFIX = "_unit", "_length"

INTRODUCTIONS: Mapping[Section, str] = {
    Section.DELIVERY: "Whether invoices leave the building, and on which way.",
    Section.TIMING: "How long to wait before an invoice is generated, and before it is issued and charged.",
    Section.APPROVAL: "Which invoices wait for a person before they are issued. Decided when they are generated.",
    Section.PAYMENTS: "How the money is collected, and what happens when that fails.",
    Section.TAX: "What is added to the total of an invoice.",
    Section.ADVANCE: "What is billed at the start of a billing cycle instead of after its end.",
    Section.REMINDERS: "Which e-mails customers get about money they owe.",
    Section.BANK: "Where customers can transfer the money to. Printed on invoices when it is switched on.",
}


@dataclass(frozen=True)
class Row:
    """One line of the form: a setting, or a length with its unit."""

    settings: tuple[Setting, ...]

    @property
    def key(self) -> str:
        return self.settings[0].name

    @property
    def label(self) -> str:
        return self.settings[0].label

    @property
    def help(self) -> str:
        return self.settings[0].help

    @property
    def own_switch(self) -> str:
        return f"own_{self.key}"

    def names(self) -> list[str]:
        return [setting.name for setting in self.settings]

    def in_words(self, policy: BillingPolicy) -> str:
        return in_words(self.settings, policy)

    def default_in_words(self) -> str:
        return in_words(self.settings, BillingPolicy())

    def differs(self, one: BillingPolicy, other: BillingPolicy) -> bool:
        return any(getattr(one, name) != getattr(other, name) for name in self.names())

    def source(self, policy: BillingPolicy) -> Source:
        found = {policy.sources.get(name, Source.DEFAULT) for name in self.names()}
        return next(s for s in (Source.CUSTOMER, Source.VENDOR, Source.DEFAULT) if s in found)


def rows_by_section() -> dict[Section, list[Row]]:
    """Every setting, in the order of its declaration; a unit stands in the row of its length."""
    sections: dict[Section, list[Row]] = {section: [] for section in Section}
    for setting in SETTINGS:
        rows = sections[setting.section]
        if setting.name.endswith(UNIT_SUFFIX):
            rows[-1] = Row((*rows[-1].settings, setting))
        else:
            rows.append(Row((setting,)))
    return sections


ROWS = rows_by_section()


def all_rows() -> Iterator[Row]:
    for rows in ROWS.values():
        yield from rows


def in_words(settings: Sequence[Setting], policy: BillingPolicy) -> str:
    first = getattr(policy, settings[0].name)
    if len(settings) == 2:
        return words.length(first, getattr(policy, settings[1].name))
    return value_in_words(settings[0], first)


def value_in_words(setting: Setting, value: Any) -> str:
    if isinstance(value, bool):
        return "On" if value else "Off"
    if value in ("", ()):
        return "None"
    if isinstance(value, tuple):
        return ", ".join(str(day) for day in value) + " days"
    if isinstance(value, Decimal):
        return f"{value.normalize():f} %"
    return setting.choices(value).label if setting.choices else str(value)


class DayList(forms.CharField):
    """Whole numbers with commas between them."""

    def __init__(self, *, limit: int, **kwargs: Any) -> None:
        self.limit = limit
        super().__init__(**kwargs)

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(map(str, value)) if isinstance(value, (tuple, list)) else value

    def to_python(self, value: Any) -> Any:
        if isinstance(value, (tuple, list)):
            return tuple(value)
        parts = [part.strip() for part in str(value or "").split(",") if part.strip()]
        if not all(part.isdecimal() and int(part) <= self.limit for part in parts):
            raise forms.ValidationError(f"Give whole numbers from 0 to {self.limit} with commas between them: 7, 1.")
        return tuple(int(part) for part in parts)

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(tuple(initial or ()) != self.to_python(data))
        except forms.ValidationError:
            return True


def form_field(setting: Setting) -> forms.Field:
    common: dict[str, Any] = {"label": setting.label, "help_text": setting.help, "required": False}
    if setting.type is bool:
        return forms.BooleanField(**common)
    if setting.type is int:
        limits = {"min_value": setting.minimum or 0, "max_value": setting.maximum, "required": True}
        return forms.IntegerField(**{**common, **limits})
    if setting.type is Decimal:
        limits = {"min_value": setting.minimum, "max_value": setting.maximum, "required": True}
        return forms.DecimalField(**{**common, **limits}, max_digits=7, decimal_places=4)
    if setting.type is tuple:
        return DayList(**common, limit=setting.maximum or 0)
    return _text_field(setting, common)


def _text_field(setting: Setting, common: dict[str, Any]) -> forms.Field:
    if setting.choices:
        return forms.ChoiceField(**{**common, "required": True}, choices=setting.choices.choices)
    widget = forms.Textarea(attrs={"rows": 4}) if setting.is_text else forms.TextInput()
    checks = [_validator(setting.check)] if setting.check else []
    common["required"] = bool(setting.check)
    return forms.CharField(**common, max_length=setting.max_length, widget=widget, validators=checks)


def _validator(check: Callable[[Any], str]) -> Callable[[Any], None]:
    def validate(value: Any) -> None:
        if problem := check(value):
            raise forms.ValidationError(problem)

    return validate


def _spoken(setting: Setting) -> dict[str, str]:
    """What a screen reader says beside the label on the page: that of a length does not speak of its unit."""
    described = {"aria-describedby": f"help_{setting.name.replace(UNIT_SUFFIX, LENGTH_SUFFIX)}"}
    return described | {"aria-label": setting.label} if setting.name.endswith(UNIT_SUFFIX) else described


class SettingsForm(forms.Form):
    """Starts from a policy; ``chosen`` is what was changed."""

    def __init__(self, policy: BillingPolicy, data: Any = None) -> None:
        values = {setting.name: getattr(policy, setting.name) for setting in SETTINGS}
        super().__init__(data, initial=values)
        self.policy = policy
        for setting in SETTINGS:
            self.fields[setting.name] = form_field(setting)
            self.fields[setting.name].widget.attrs |= _spoken(setting)

    def chosen(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in self.changed_data}

    def resulting(self) -> dict[str, Any]:
        """Every value as it would be after saving."""
        return {setting.name: self.cleaned_data[setting.name] for setting in SETTINGS}

    def typed_policy(self) -> BillingPolicy:
        """What would apply after saving."""
        return resolve(self.resulting(), {})

    def refuse(self, refusal: Invalid) -> None:
        for name, problems in refusal.errors.items():
            for problem in problems:
                self.add_error(name if name in self.fields else None, problem)


class OverrideForm(SettingsForm):
    """``vendor_policy`` is what a row inherits without its switch."""

    def __init__(self, policy: BillingPolicy, vendor_policy: BillingPolicy, data: Any = None) -> None:
        super().__init__(policy, data)
        self.vendor_policy = vendor_policy
        self.fields["enabled"] = forms.BooleanField(required=False, label="Enable invoicing overrides")
        self.initial["enabled"] = Source.CUSTOMER in policy.sources.values()
        for row in all_rows():
            self.fields[row.own_switch] = forms.BooleanField(required=False, label=f"Own value for {row.label}")
            self.initial[row.own_switch] = row.source(policy) is Source.CUSTOMER

    def clean(self) -> dict[str, Any]:
        """What is inherited is not looked at: it may hold anything, it is not going to be kept."""
        cleaned = self.cleaned_data
        inherited = [row for row in all_rows() if not (cleaned.get("enabled") and cleaned.get(row.own_switch))]
        for row in inherited:
            for name in row.names():
                self.errors.pop(name, None)
                cleaned[name] = getattr(self.vendor_policy, name)
        if cleaned.get("enabled") and len(inherited) == sum(1 for _ in all_rows()):
            raise forms.ValidationError("Give at least one setting its own value, or switch the overrides off.")
        return cleaned

    def typed_policy(self) -> BillingPolicy:
        given = self.cleaned_data
        own = [row for row in all_rows() if given.get("enabled") and given.get(row.own_switch)]
        return resolve(self.resulting(), {name: given[name] for row in own for name in row.names()})

    def chosen(self) -> dict[str, Any]:
        """None takes a setting back to the vendor's value."""
        wanted: dict[str, Any] = {}
        for row in all_rows():
            own = self.cleaned_data[row.own_switch]
            for name in row.names():
                is_own = self.policy.sources.get(name) is Source.CUSTOMER
                if own and (not is_own or self.cleaned_data[name] != getattr(self.policy, name)):
                    wanted[name] = self.cleaned_data[name]
                elif is_own and not own:
                    wanted[name] = None
        return wanted


@dataclass(frozen=True)
class FormRow:
    """A row as the template shows it."""

    row: Row
    fields: list[BoundField]
    switch: BoundField | None = None
    inherited: str = ""
    own: str = ""
    differs: bool = False
    default: str = ""
    warnings: tuple[str, ...] = ()
    overriding: int = 0

    @property
    def is_switch(self) -> bool:
        return self.switch is None and self.row.settings[0].type is bool

    @property
    def errors(self) -> list[str]:
        return [str(problem) for field in self.fields for problem in field.errors]


@dataclass(frozen=True)
class FormSection:
    section: Section
    introduction: str
    rows: list[FormRow]


def sections_of(form: SettingsForm, overriding: Mapping[str, int] | None = None) -> list[FormSection]:
    """``overriding``: how many customers have a value of their own, by row."""
    warnings = warnings_in_words(form.policy)
    found = []
    for section, rows in ROWS.items():
        shown = [replace(_form_row(form, row, warnings), overriding=(overriding or {}).get(row.key, 0)) for row in rows]
        found.append(FormSection(section, INTRODUCTIONS[section], shown))
    return found


def _form_row(form: SettingsForm, row: Row, warnings: Mapping[str, str]) -> FormRow:
    fields = [form[name] for name in row.names()]
    warned = tuple(warnings[name] for name in row.names() if name in warnings)
    if isinstance(form, OverrideForm):
        inherited = row.in_words(form.vendor_policy)
        differs = row.differs(form.policy, form.vendor_policy)
        own = row.in_words(form.policy)
        return FormRow(row, fields, form[row.own_switch], inherited, own, differs, warnings=warned)
    default = row.default_in_words() if row.differs(form.policy, BillingPolicy()) else ""
    return FormRow(row, fields, default=default, warnings=warned)
