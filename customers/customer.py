"""The customer: whom a vendor bills."""

from __future__ import annotations

from django.contrib.postgres.indexes import GinIndex, OpClass
from django.contrib.postgres.search import SearchVector
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Upper

from customers.contact import ContactFields
from customers.scoping import VendorOwned
from customers.vat import problem_with


def validate_regex(pattern: str) -> None:
    """RE2 patterns only: they match in linear time, so no mapping can be made to run for ever."""
    import re2

    # The pattern is the sender's: neither it nor what is wrong with it belongs into our log.
    quiet = re2.Options()
    quiet.log_errors = False
    try:
        re2.compile(pattern, quiet)
    except re2.error as error:
        raise ValidationError(f"{pattern!r} is not a valid regular expression (RE2 syntax): {error}") from error


class TaxExempt(models.TextChoices):
    """The words are Stripe's."""

    NONE = "none", "Taxed"
    EXEMPT = "exempt", "Exempt from tax"
    REVERSE = "reverse", "Reverse charge"


class Words(models.Func):
    """A text with nothing but a space between its words, so that the full-text index sees each of them."""

    function = "regexp_replace"
    template = "%(function)s(%(expressions)s, '[^[:alnum:]]+', ' ', 'g')"
    output_field = models.TextField()


NAME_WORDS = SearchVector(Words("display_name"), config="simple")
"""The words of the display name, as ``customer_name_words`` holds them."""


class Customer(VendorOwned, ContactFields):
    name = models.CharField(max_length=128, help_text="Unique code name, for example your own customer id.")
    display_name = models.CharField(max_length=256)
    tags = models.JSONField(default=list, blank=True)
    tax_exempt = models.CharField(
        "tax status",
        max_length=8,
        choices=TaxExempt.choices,
        default=TaxExempt.NONE,
        help_text="Exempt and reverse charge: invoices carry no tax; with reverse charge they say that the customer "
        "accounts for it, and show its VAT id.",
    )
    review_reason = models.CharField(
        "hold invoices for review",
        max_length=256,
        blank=True,
        help_text="Why a person should look at each invoice before it goes out; empty: nobody has to.",
    )
    currency = models.CharField(
        max_length=3, blank=True, help_text="Fixed by the first subscription; empty until then."
    )
    created_at = models.DateTimeField()
    erased_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Real time: when its personal data was erased."
    )

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["vendor", "name"], name="customer_name_unique_per_vendor"),
        ]
        indexes = [
            models.Index(fields=["vendor", "-created_at", "-id"], name="customer_newest"),
            models.Index("vendor", OpClass(Upper("name"), "text_pattern_ops"), name="customer_name_begins"),
            models.Index("vendor", OpClass(Upper("email"), "text_pattern_ops"), name="customer_email_begins"),
            GinIndex(NAME_WORDS, name="customer_name_words"),
            GinIndex(fields=["tags"], opclasses=["jsonb_path_ops"], name="customer_tags"),
        ]

    def __str__(self) -> str:
        return self.display_name

    def clean(self) -> None:
        if self.vat_id and (problem := problem_with(self.vat_id, self.country)):
            raise ValidationError({"vat_id": problem})
        if self.tax_exempt == TaxExempt.REVERSE and not self.vat_id:
            raise ValidationError({"vat_id": "Give the VAT id: an invoice with reverse charge has to show it."})


class CustomerMetadata(models.Model):
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="metadata")
    property = models.CharField(max_length=128)
    value = models.CharField(max_length=1024, blank=True)

    class Meta:
        verbose_name_plural = "customer metadata"
        constraints = [
            models.UniqueConstraint(fields=["customer", "property"], name="metadata_property_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.property}={self.value}"


class MeasurementMapping(models.Model):
    """Attributes measurements whose ``label`` matches ``value_regex`` (whole value) to the customer."""

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="measurement_mappings")
    label = models.CharField(max_length=128)
    value_regex = models.CharField(max_length=512, validators=[validate_regex])

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["customer", "label", "value_regex"], name="mapping_unique"),
        ]
        indexes = [models.Index(fields=["label"], name="mapping_label")]

    def __str__(self) -> str:
        return f"{self.label} ~ {self.value_regex}"
