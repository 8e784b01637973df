"""The vendor, and the vendor's clock.

The clock is real time plus an offset: zero for live vendors. A vendor in test mode may be moved
forward; while it is on its way (``clock_target`` set) time stands still at ``clock_frozen_at``, one
due moment after the other, until everything there is settled (``customers/clock.py``).
"""

from __future__ import annotations

import uuid
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q

from customers.contact import ContactFields


def validate_zone(name: str) -> None:
    if name not in available_timezones():
        raise ValidationError(f"{name!r} is not a time zone. Use a name such as Europe/Berlin or UTC.")


class Vendor(ContactFields):
    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.SlugField(max_length=64, unique=True, help_text="Code name, used in events and in the API.")
    display_name = models.CharField(max_length=128)
    currency = models.CharField(max_length=3, default="USD", help_text="ISO 4217 code of new price plans.")
    time_zone = models.CharField(max_length=64, default="UTC", validators=[validate_zone])
    is_test = models.BooleanField(
        "test mode",
        default=False,
        help_text="The clock can be moved forward and Stripe's test account is used.",
    )
    clock_offset = models.DurationField(default=timedelta)
    clock_target = models.DateTimeField(null=True, blank=True)
    clock_frozen_at = models.DateTimeField(null=True, blank=True)
    billing_paused_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="Real time. Since when nothing falls due by itself (billing_pause.py).",
    )
    billing_paused_by = models.CharField(max_length=256, blank=True)
    billing_pause_reason = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="vendor_only_test_clocks_move",
                condition=Q(is_test=True)
                | Q(clock_offset=timedelta(0), clock_target__isnull=True, clock_frozen_at__isnull=True),
            ),
            models.CheckConstraint(
                name="vendor_frozen_while_advancing",
                condition=Q(clock_target__isnull=True, clock_frozen_at__isnull=True)
                | Q(clock_target__isnull=False, clock_frozen_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.display_name

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    @property
    def clock_is_advancing(self) -> bool:
        return self.clock_target is not None

    @property
    def clock_is_moved(self) -> bool:
        return bool(self.clock_offset) or self.clock_is_advancing

    def now(self, real_now: datetime) -> datetime:
        """This vendor's present moment."""
        return self.clock_frozen_at or real_now + self.clock_offset

    def today(self, real_now: datetime) -> date:
        """The day it is where the vendor is, by its clock."""
        return self.now(real_now).astimezone(self.zone).date()
