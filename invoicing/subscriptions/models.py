"""Who is on which plan, and the cycles that are billed."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import F, Q

from customers.claims import QueuedWork
from customers.customer import Customer
from customers.scoping import VendorOwned
from invoicing.catalog.models import AddOn, MeteredComponent, PricePlan


class Subscription(VendorOwned):
    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="subscriptions")
    price_plan = models.ForeignKey(PricePlan, on_delete=models.PROTECT, related_name="subscriptions")
    align_to_calendar = models.BooleanField(default=False)
    effective_at = models.DateTimeField()
    expired_at = models.DateTimeField(null=True, blank=True, help_text="Exclusive end; empty while it runs on.")
    trial_ends_at = models.DateTimeField(
        null=True, blank=True, help_text="Until then nothing is charged; the billing cycles run from then on."
    )
    trial_credit = models.BigIntegerField(default=0, help_text="Minor units: taken off invoices until it is used up.")
    trial_credit_until = models.DateTimeField(
        null=True, blank=True, help_text="Billing cycles that begin from then on have none of the trial's credit."
    )
    follows = models.OneToOneField(
        "self",
        on_delete=models.PROTECT,
        related_name="followed_by",
        null=True,
        blank=True,
        help_text="The subscription that a change of plan replaced by this one.",
    )
    features_override = models.JSONField(default=list, blank=True, help_text="Beside the plan's features.")
    limits_override = models.JSONField(default=list, blank=True, help_text="In place of the plan's for these features.")
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="subscription_ends_after_it_starts",
                condition=Q(expired_at__isnull=True) | Q(expired_at__gte=F("effective_at")),
            ),
            models.UniqueConstraint(
                fields=["customer"], condition=Q(expired_at__isnull=True), name="one_open_subscription"
            ),
        ]
        indexes = [
            models.Index(fields=["customer", "-effective_at"], name="subscription_of_customer"),
            models.Index(fields=["vendor", "-effective_at", "-id"], name="subscription_newest"),
            models.Index(fields=["price_plan", "-effective_at", "-id"], name="subscription_on_plan"),
            models.Index(
                fields=["vendor", "-effective_at", "-id"],
                condition=Q(trial_ends_at__isnull=False),
                name="subscription_trial",
            ),
            models.Index(
                fields=["vendor", "expired_at"], condition=Q(expired_at__isnull=False), name="subscription_ending"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.customer} on {self.price_plan}"


class AddOnAction(models.TextChoices):
    """What happens next to a change of an add-on."""

    CHARGE = "charge", "Charge what was added"
    NONE = "", "Nothing"


class AddOnChange(VendorOwned, QueuedWork):
    """From ``effective_at`` on, so many more (or fewer) of an add-on. ``price`` stands in place of the plan's from then
    on; in minor units, for each. What is added of one that is charged immediately gets an invoice of its own."""

    subscription = models.ForeignKey(Subscription, on_delete=models.CASCADE, related_name="add_on_changes")
    add_on = models.ForeignKey(AddOn, on_delete=models.PROTECT, related_name="changes")
    quantity = models.DecimalField(max_digits=30, decimal_places=12)
    price = models.DecimalField(max_digits=30, decimal_places=12, null=True, blank=True)
    effective_at = models.DateTimeField()
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["effective_at", "pk"]
        indexes = [
            models.Index(fields=["subscription", "effective_at", "id"], name="add_on_change_by_time"),
            models.Index(
                fields=["next_action_at", "id"], condition=Q(next_action_at__isnull=False), name="add_on_charge_due"
            ),
            models.Index(
                fields=["vendor", "next_action_at", "id"],
                condition=Q(next_action_at__isnull=False),
                name="add_on_charge_due_vendor",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity:+f} {self.add_on} for {self.subscription}"


class Discount(VendorOwned):
    """Lowers the invoices of a subscription's billing cycles from number ``first_cycle`` up to ``end_cycle``
    (exclusive; empty: for good). ``amount`` is in minor units, or percent."""

    class Type(models.TextChoices):
        FLAT = "FLAT", "An amount"
        PERCENT = "PERCENT", "Percent"

    class Scope(models.TextChoices):
        INVOICE_TOTAL = "INVOICE_TOTAL", "Invoice total"
        METERED_COMPONENT = "METERED_COMPONENT", "A metered component"
        BASE_PRICE = "BASE_PRICE", "Base price"
        ADD_ON = "ADD_ON", "An add-on"

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    subscription = models.ForeignKey(Subscription, on_delete=models.CASCADE, related_name="discounts")
    discount_type = models.CharField(max_length=8, choices=Type.choices)
    amount = models.DecimalField(max_digits=30, decimal_places=4)
    scope = models.CharField(max_length=20, choices=Scope.choices)
    metered_component = models.ForeignKey(MeteredComponent, on_delete=models.PROTECT, null=True, blank=True)
    add_on = models.ForeignKey(AddOn, on_delete=models.PROTECT, null=True, blank=True)
    labels = models.JSONField(default=dict, blank=True, help_text="Of the component, only usage with these.")
    first_cycle = models.PositiveIntegerField()
    end_cycle = models.PositiveIntegerField(null=True, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(name="discount_takes_off", condition=Q(amount__gt=0)),
            models.CheckConstraint(
                name="discount_has_length", condition=Q(end_cycle__isnull=True) | Q(end_cycle__gt=F("first_cycle"))
            ),
            models.CheckConstraint(
                name="component_discount_has_component",
                condition=Q(scope="METERED_COMPONENT", metered_component__isnull=False)
                | (~Q(scope="METERED_COMPONENT") & Q(metered_component__isnull=True)),
            ),
            models.CheckConstraint(
                name="labels_are_of_a_component", condition=Q(scope="METERED_COMPONENT") | Q(labels={})
            ),
            models.CheckConstraint(
                name="add_on_discount_has_add_on",
                condition=Q(scope="ADD_ON", add_on__isnull=False) | (~Q(scope="ADD_ON") & Q(add_on__isnull=True)),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_scope_display()} discount of {self.subscription}"


class Coupon(VendorOwned):
    """A discount of the invoice's total that customers may use once each, within its limits. ``amount`` is in minor
    units of the vendor's currency, or percent. Withdrawn instead of deleted: its uses stay on record."""

    class Frequency(models.TextChoices):
        ONCE = "ONCE", "One invoice"
        RECURRING = "RECURRING", "Invoices for a time"

    class Unit(models.TextChoices):
        HOUR = "hour", "hour"
        DAY = "day", "day"
        WEEK = "week", "week"
        MONTH = "month", "month"
        YEAR = "year", "year"

    name = models.CharField(max_length=128, help_text="Unique code name.")
    display_name = models.CharField(max_length=256, blank=True)
    code = models.CharField(max_length=128, blank=True, help_text="What customers are told.")
    frequency = models.CharField(max_length=12, choices=Frequency.choices)
    discount_type = models.CharField(max_length=8, choices=Discount.Type.choices)
    amount = models.DecimalField(max_digits=30, decimal_places=4)
    max_uses = models.PositiveIntegerField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True, help_text="Until when it may be applied.")
    duration_length = models.PositiveIntegerField(null=True, blank=True)
    duration_unit = models.CharField(max_length=8, choices=Unit.choices, blank=True)
    excluded_customers = models.JSONField(default=list, help_text="By name.")
    excluded_price_plans = models.JSONField(default=list, help_text="By name.")
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["vendor", "name"], condition=Q(withdrawn_at__isnull=True), name="coupon_name_unique"
            ),
            models.UniqueConstraint(
                fields=["vendor", "code"],
                condition=Q(withdrawn_at__isnull=True) & ~Q(code=""),
                name="coupon_code_unique",
            ),
            models.CheckConstraint(name="coupon_takes_off", condition=Q(amount__gt=0)),
        ]

    def __str__(self) -> str:
        return self.display_name or self.name


class CouponUse(models.Model):
    """``discount`` is what it became; empty once that was taken away."""

    coupon = models.ForeignKey(Coupon, on_delete=models.PROTECT, related_name="uses")
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="coupon_uses")
    discount = models.OneToOneField(
        Discount, on_delete=models.SET_NULL, related_name="coupon_use", null=True, blank=True
    )
    applied_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["coupon", "customer"], name="coupon_once_a_customer")]
        indexes = [models.Index(fields=["coupon", "-applied_at", "-id"], name="coupon_uses_newest")]

    def __str__(self) -> str:
        return f"{self.coupon} for {self.customer}"


class CycleAction(models.TextChoices):
    """What happens next to a billing cycle."""

    OPEN = "open", "Bill its fixed items in advance"
    END = "end", "End the billing cycle"
    GENERATE = "generate", "Generate the invoice"
    NONE = "", "Nothing"


class BillingCycle(VendorOwned, QueuedWork):
    """From ``start`` (inclusive) to ``end`` (exclusive). Numbered from 0 within its subscription.

    Without length only where it was billed in advance and then called off: its invoice gives that back.
    """

    subscription = models.ForeignKey(Subscription, on_delete=models.PROTECT, related_name="cycles")
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="cycles")
    index = models.PositiveIntegerField()
    start = models.DateTimeField()
    end = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    opened = models.BooleanField(default=False, help_text="What was billed of it in advance is on another invoice.")
    at_once = models.BooleanField(
        default=False, help_text="Its invoice does not wait for the grace period: the plan was changed before its end."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["subscription", "index"], name="cycle_index_unique"),
            models.UniqueConstraint(fields=["subscription", "start"], name="cycle_start_unique"),
            models.CheckConstraint(name="cycle_ends_after_it_starts", condition=Q(end__gte=F("start"))),
        ]
        indexes = [
            models.Index(fields=["next_action_at", "id"], condition=Q(next_action_at__isnull=False), name="cycle_due"),
            models.Index(
                fields=["vendor", "next_action_at", "id"],
                condition=Q(next_action_at__isnull=False),
                name="cycle_due_vendor",
            ),
            models.Index(fields=["vendor"], condition=Q(failures__gt=0), name="cycle_failing"),
        ]

    def __str__(self) -> str:
        return f"{self.subscription}, {self.start:%Y-%m-%d} to {self.end:%Y-%m-%d}"


class UsageAlert(VendorOwned):
    """That usage of a billing cycle reached ``threshold`` percent of a limit. Once for each threshold of a limit and
    cycle, whatever the usage does afterwards; a changed limit is another one. ``labels`` are the JSON text of those
    that the limit goes by."""

    cycle = models.ForeignKey(BillingCycle, on_delete=models.CASCADE, related_name="usage_alerts")
    component = models.ForeignKey(MeteredComponent, on_delete=models.CASCADE, related_name="+")
    labels = models.TextField(default="{}")
    limit = models.DecimalField(max_digits=30, decimal_places=12)
    threshold = models.PositiveSmallIntegerField(help_text="Percent.")
    usage = models.DecimalField(max_digits=44, decimal_places=12, help_text="When it was noticed.")
    raised_at = models.DateTimeField(help_text="The vendor's time.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["cycle", "component", "labels", "limit", "threshold"], name="usage_alert_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.threshold} % of {self.limit} in {self.cycle}"


class AdhocCharge(VendorOwned):
    """A one-off charge that joins the invoice of the billing cycle of its time. ``total_price`` is in minor units of
    the customer's currency. The line item that bills it points here, and there can be only one."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="adhoc_charges")
    charge_time = models.DateTimeField()
    item_name = models.CharField(max_length=256)
    item_display_name = models.CharField(max_length=256, blank=True, help_text="Printed in place of the name.")
    item_description = models.TextField(blank=True)
    quantity = models.DecimalField(max_digits=30, decimal_places=12)
    total_price = models.BigIntegerField(help_text="Minor units, for all of the quantity.")
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(name="charge_not_negative", condition=Q(total_price__gte=0))]
        indexes = [models.Index(fields=["customer", "-charge_time", "-id"], name="charge_of_customer")]

    def __str__(self) -> str:
        return self.label

    @property
    def label(self) -> str:
        return self.item_display_name or self.item_name


class ProrationCredit(VendorOwned):
    """What was billed in advance for a time that then was not used. Line items take it off invoices, as far as those
    go; what is left waits for the customer's next invoice. ``amount`` is in minor units of the customer's currency."""

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="proration_credits")
    cycle = models.OneToOneField(BillingCycle, on_delete=models.PROTECT, related_name="proration_credit")
    amount = models.BigIntegerField()
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(name="proration_credit_is_positive", condition=Q(amount__gt=0))]

    def __str__(self) -> str:
        return f"Credit for unused time of {self.cycle}"
