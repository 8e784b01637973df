"""What is typed to start, change and end a subscription, and to put something on it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django import forms

from billing_portal.portal import plan_lines
from billing_portal.portal.forms import CODE, TEXT, MomentField, in_minor_units, numeric
from customers.errors import Invalid
from customers.money import MoneyError, format_money, parse_money
from customers.vendor import Vendor
from invoicing.catalog.features import Features, read_override
from invoicing.catalog.models import PricePlan, TrialUnit
from invoicing.catalog.trials import Trial, read_trial
from invoicing.catalog.verbs import latest_plans
from invoicing.invoices.charges import ChargeDraft
from invoicing.rating.discounts import DiscountScope, DiscountType
from invoicing.subscriptions.add_ons import AddOnOrder
from invoicing.subscriptions.coupons import coupons
from invoicing.subscriptions.discounts import DiscountDraft
from invoicing.subscriptions.models import Coupon, Subscription
from invoicing.subscriptions.verbs import When

MOST_CHOICES = 200


def plan_choices(vendor: Vendor, *, but: int = 0) -> list[tuple[str, str]]:
    """The newest version of each plan, and those that a tag points at."""
    newest = list(latest_plans(vendor).exclude(pk=but)[:MOST_CHOICES])
    tagged = PricePlan.objects.of(vendor).filter(archived_at__isnull=True).exclude(tags=[]).exclude(pk=but)
    older = [plan for plan in tagged.order_by("name", "-version")[:MOST_CHOICES] if plan not in newest]
    return [(str(plan.external_uuid), _described(plan)) for plan in (*newest, *older)]


def _described(plan: PricePlan) -> str:
    tags = f" ({', '.join(plan.tags)})" if plan.tags else ""
    price = f"{format_money(plan.base_price, plan.currency)} a {plan.get_period_display()}"
    return f"{plan.label}, version {plan.version}{tags}: {price}"


def coupon_choices(vendor: Vendor) -> list[tuple[str, str]]:
    return [("", "None"), *((coupon.name, str(coupon)) for coupon in coupons(vendor)[:MOST_CHOICES])]


ALIGNMENT = (("", "As before, or by the settings"), ("yes", "On the calendar"), ("no", "On its own day"))


class TermsForm(forms.Form):
    """What a new subscription and a change of plan have in common."""

    plan = forms.ChoiceField(label="Price plan")
    align_to_calendar = forms.ChoiceField(
        label="Billing cycles begin",
        required=False,
        choices=ALIGNMENT,
        help_text="On the calendar: the first of the month, quarter, half-year or year; the first cycle is short and "
        "prorated.",
    )
    trial_length = forms.IntegerField(
        required=False,
        min_value=0,
        widget=numeric("as the plan says"),
        help_text="So long nothing is charged. 0 is no trial; empty is what the plan says.",
    )
    trial_unit = forms.ChoiceField(required=False, choices=TrialUnit.choices, initial=TrialUnit.DAY)
    trial_credit = forms.CharField(
        required=False,
        max_length=40,
        widget=numeric("none of its own"),
        help_text="An amount taken off invoices in place of a free time: for the trial's length, or for good.",
    )
    add_ons = forms.CharField(
        label="Add-ons",
        required=False,
        widget=forms.Textarea(CODE | {"rows": 2, "placeholder": "seats = 5"}),
        help_text="Of the plan. One a line, code name = how many; with a price of its own: seats = 5 at 9.00.",
    )
    coupon = forms.ChoiceField(required=False)
    discounts = forms.CharField(
        label="Discount",
        required=False,
        max_length=40,
        widget=numeric("none"),
        help_text="Off the invoice's total: 10 %, or an amount such as 25.00.",
    )
    discount_cycles = forms.IntegerField(
        label="Billing cycles with the discount", required=False, min_value=1, widget=numeric("all")
    )
    features_override = forms.CharField(
        label="Features of its own",
        required=False,
        widget=forms.Textarea(CODE | {"rows": 2, "placeholder": "sso | Single sign-on"}),
        help_text="Beside the plan's. One a line: code name | display name | description.",
    )
    limits_override = forms.CharField(
        label="Limits of its own",
        required=False,
        widget=forms.Textarea(CODE | {"rows": 2, "placeholder": "projects = 10"}),
        help_text="Of features, in place of the plan's. One a line.",
    )

    def __init__(self, vendor: Vendor, *args: Any, but: int = 0, **options: Any) -> None:
        super().__init__(*args, **options)
        self.vendor = vendor
        self._choices("plan", [("", "Choose…"), *plan_choices(vendor, but=but)])
        self._choices("coupon", coupon_choices(vendor))

    def _choices(self, name: str, choices: Sequence[tuple[str, str]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - declared above
        field.choices = list(choices)

    def chosen_plan(self) -> PricePlan:
        return PricePlan.objects.of(self.vendor).get(external_uuid=UUID(self.cleaned_data["plan"]))

    def terms(self) -> dict[str, Any]:
        """As the verbs take them. Raises ``Invalid``."""
        given = self.cleaned_data
        return {
            "align_to_calendar": {"yes": True, "no": False}.get(given["align_to_calendar"]),
            "trial": self._trial(),
            "add_ons": self._add_ons(),
            "discounts": self._discounts(),
            "coupon": self._coupon(),
            "features": self._features(),
        }

    def _add_ons(self) -> list[AddOnOrder]:
        rows = plan_lines.read_add_ons(self.cleaned_data["add_ons"], "add_ons")
        currency = self.chosen_plan().currency if rows else ""
        return [AddOnOrder(name, number, _price(price, currency, "add_ons")) for name, number, price in rows]

    def _discounts(self) -> list[DiscountDraft]:
        text, cycles = self.cleaned_data["discounts"].strip(), self.cleaned_data["discount_cycles"]
        if not text and cycles:
            raise Invalid({"discounts": "Say how much is taken off in these billing cycles."})
        if not text:
            return []
        kind = DiscountType.PERCENT if text.endswith("%") else DiscountType.FLAT
        amount = amount_off(text, kind, self.chosen_plan().currency, "discounts")
        return [DiscountDraft(kind, amount, DiscountScope.INVOICE_TOTAL, duration=cycles)]

    def _trial(self) -> Trial | None:
        """None where nothing is typed: as the plan says. A credit alone is one for good."""
        length, unit = self.cleaned_data["trial_length"], self.cleaned_data["trial_unit"]
        credit = self.cleaned_data["trial_credit"]
        if length is None and not credit:
            return None
        amount = _money(credit, self.chosen_plan().currency, "trial_credit")
        try:
            return read_trial("trial", {"time_length": length, "time_unit_name": unit, "credit": amount})
        except Invalid as refusal:
            wrong = "trial_credit" if "trial.credit" in refusal.errors else "trial_length"
            raise Invalid({wrong: " ".join(sum(refusal.errors.values(), []))}) from None

    def _features(self) -> Features:
        try:
            limits = plan_lines.read_limits(self.cleaned_data["limits_override"])
        except Invalid as refusal:
            raise Invalid({"limits_override": " ".join(sum(refusal.errors.values(), []))}) from None
        features = plan_lines.read_features(self.cleaned_data["features_override"])
        return read_override({"features_override": features, "limits_override": limits})

    def _coupon(self) -> Coupon | None:
        name = self.cleaned_data["coupon"]
        return coupons(self.vendor).get(name=name) if name else None


class SubscribeForm(TermsForm):
    effective_at = MomentField(
        label="Starts", help_text="Empty is now. In the past, the cycles since then are billed one after the other."
    )
    field_order = ("plan", "effective_at")


WHEN = (
    (When.NOW.value, "Now: the running cycle is cut and billed for its share"),
    (When.CYCLE_START.value, "From the start of the running cycle, as if it had been so all the time"),
    (When.CYCLE_END.value, "When the running cycle ends"),
    ("moment", "At the time given below"),
)


class ChangeForm(TermsForm):
    when = forms.ChoiceField(label="Takes effect", choices=WHEN, initial=When.CYCLE_END.value)
    effective_at = MomentField(label="Time", help_text="Only where it takes effect at a time of its own.")
    field_order = ("plan", "when", "effective_at")

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        if given.get("when") == "moment" and not given.get("effective_at"):
            self.add_error("effective_at", "Give the time at which it takes effect.")
        return given

    def terms(self) -> dict[str, Any]:
        if self.cleaned_data["when"] == "moment":
            return super().terms() | {"effective_at": self.cleaned_data["effective_at"]}
        return super().terms() | {"when": When(self.cleaned_data["when"])}


class EndForm(forms.Form):
    when = forms.ChoiceField(choices=[("cycle_end", ""), ("now", ""), ("moment", "")], required=False)
    expire_at = MomentField()

    def moment(self) -> dict[str, Any]:
        """As the verb takes it. Raises ``Invalid``."""
        if self.cleaned_data["when"] == "moment" and not self.cleaned_data["expire_at"]:
            raise Invalid({"expire_at": "Give the time at which the subscription ends."})
        if self.cleaned_data["when"] == "moment":
            return {"expire_at": self.cleaned_data["expire_at"]}
        return {"at_cycle_end": self.cleaned_data["when"] != "now"}


class AddOnForm(forms.Form):
    name = forms.ChoiceField(label="Add-on")
    quantity = forms.DecimalField(
        initial=1, max_digits=30, decimal_places=12, widget=numeric(), help_text="How many more; below zero, fewer."
    )
    price = forms.DecimalField(
        label="Price of its own",
        required=False,
        max_digits=30,
        decimal_places=12,
        min_value=Decimal(0),
        widget=numeric("the plan's"),
        help_text="For each, in place of the plan's price.",
    )
    when = forms.ChoiceField(
        label="From",
        choices=[
            ("now", "Now"),
            ("cycle_start", "The start of the running cycle"),
            ("cycle_end", "The end of the running cycle"),
        ],
    )

    def __init__(self, subscription: Subscription, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.currency = subscription.price_plan.currency
        name = self.fields["name"]
        assert isinstance(name, forms.ChoiceField)  # noqa: S101 - declared above
        name.choices = [(one.name, one.label) for one in subscription.price_plan.add_ons.all()]

    def order(self, start: datetime, end: datetime) -> AddOnOrder:
        """``start`` and ``end`` are those of the running cycle."""
        given, price = self.cleaned_data, self.cleaned_data["price"]
        return AddOnOrder(
            given["name"],
            given["quantity"],
            None if price is None else in_minor_units(price, self.currency),
            {"cycle_start": start, "cycle_end": end}.get(given["when"]),
        )


class DiscountForm(forms.Form):
    discount_type = forms.ChoiceField(label="Takes off", choices=[("PERCENT", "Percent"), ("FLAT", "An amount")])
    amount = forms.CharField(max_length=40, widget=numeric("10"), help_text="25 is 25 %, or an amount of money.")
    scope = forms.ChoiceField(
        label="Of",
        choices=[
            ("INVOICE_TOTAL", "The invoice's total"),
            ("BASE_PRICE", "The base price"),
            ("METERED_COMPONENT", "A metered component"),
            ("ADD_ON", "An add-on"),
        ],
    )
    component = forms.ChoiceField(
        label="Metered component", required=False, help_text="Only where it lowers a metered component."
    )
    labels = forms.CharField(
        max_length=1_000,
        required=False,
        widget=forms.TextInput({**TEXT, "placeholder": "region=eu, tier=ssd"}),
        help_text="Of a component with a price list, only usage with these. Empty: all of it.",
    )
    add_on = forms.ChoiceField(label="Add-on", required=False, help_text="Only where it lowers an add-on.")
    start_offset = forms.IntegerField(
        label="First billing cycle",
        initial=0,
        min_value=0,
        widget=numeric(),
        help_text="0 is the running one, 1 the next.",
    )
    duration = forms.IntegerField(
        label="Billing cycles",
        required=False,
        min_value=1,
        widget=numeric("for good"),
        help_text="How many it lowers. Empty: for good.",
    )

    def __init__(self, subscription: Subscription, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.currency = subscription.price_plan.currency
        component = self.fields["component"]
        assert isinstance(component, forms.ChoiceField)  # noqa: S101 - declared above
        parts = subscription.price_plan.metered_components.select_related("meter")
        component.choices = [("", "Choose…"), *((str(part.external_uuid), part.label) for part in parts)]
        add_on = self.fields["add_on"]
        assert isinstance(add_on, forms.ChoiceField)  # noqa: S101 - declared above
        add_on.choices = [("", "Choose…"), *((one.name, one.label) for one in subscription.price_plan.add_ons.all())]

    def draft(self) -> DiscountDraft:
        """Raises ``Invalid``."""
        given = self.cleaned_data
        kind, scope = DiscountType(given["discount_type"]), DiscountScope(given["scope"])
        is_component = scope is DiscountScope.METERED_COMPONENT
        if is_component and not given["component"]:
            raise Invalid({"component": "Choose the metered component that it lowers."})
        if scope is DiscountScope.ADD_ON and not given["add_on"]:
            raise Invalid({"add_on": "Choose the add-on that it lowers."})
        return DiscountDraft(
            type=kind,
            amount=amount_off(given["amount"], kind, self.currency),
            scope=scope,
            component_uuid=UUID(given["component"]) if is_component else None,
            add_on_name=given["add_on"] if scope is DiscountScope.ADD_ON else "",
            labels=plan_lines.read_labels(given["labels"]),
            start_offset=given["start_offset"],
            duration=given["duration"],
        )


def _price(text: str, currency: str, field: str) -> Decimal | None:
    """Of one, in minor units; None where nothing is typed."""
    if not text:
        return None
    try:
        price: Decimal = forms.DecimalField(max_digits=30, decimal_places=12, min_value=Decimal(0)).clean(text)
    except forms.ValidationError:
        raise Invalid({field: f"{text!r} is not a price: write it like 9.00."}) from None
    return in_minor_units(price, currency)


def _money(text: str, currency: str, field: str) -> int:
    try:
        return parse_money(text or "0", currency)
    except MoneyError as error:
        raise Invalid({field: str(error)}) from None


def amount_off(text: str, kind: DiscountType, currency: str, field: str = "amount") -> Decimal:
    """Percent as they are typed, money in minor units. Raises ``Invalid``."""
    try:
        if kind is DiscountType.FLAT:
            return Decimal(parse_money(text, currency))
        percent: Decimal = forms.DecimalField(max_digits=30, decimal_places=4).clean(text.strip(" %"))
        return percent
    except MoneyError as error:
        raise Invalid({field: str(error)}) from None
    except forms.ValidationError:
        raise Invalid({field: f"{text!r} is not a percentage: write it like 12.5."}) from None


class ApplyCouponForm(forms.Form):
    coupon = forms.ChoiceField(help_text="Once for each customer, from the running cycle on.")

    def __init__(self, vendor: Vendor, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        coupon = self.fields["coupon"]
        assert isinstance(coupon, forms.ChoiceField)  # noqa: S101 - declared above
        coupon.choices = [("", "Choose…"), *coupon_choices(vendor)[1:]]


class ChargeForm(forms.Form):
    item_display_name = forms.CharField(
        label="What for", max_length=256, widget=forms.TextInput(TEXT), help_text="Printed on the invoice."
    )
    item_description = forms.CharField(
        label="Description", required=False, max_length=2000, widget=forms.Textarea({"rows": 2})
    )
    quantity = forms.DecimalField(initial=1, max_digits=30, decimal_places=12, widget=numeric())
    total_price = forms.CharField(
        label="Amount", max_length=40, widget=numeric("0.00"), help_text="For all of the quantity."
    )
    charge_time = MomentField(label="Time", help_text="It joins the invoice of that billing cycle. Empty is now.")

    def __init__(self, currency: str, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.currency = currency
        self.fields["total_price"].label = f"Amount in {currency}"

    def draft(self, now: datetime) -> ChargeDraft:
        """Raises ``Invalid``."""
        given = self.cleaned_data
        total = _money(given["total_price"], self.currency, "total_price")
        return ChargeDraft(
            charge_time=given["charge_time"] or now,
            item_name=given["item_display_name"],
            quantity=given["quantity"],
            total_price=total,
            item_description=given["item_description"],
        )
