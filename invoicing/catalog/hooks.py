"""Where rooms above take part in what happens here. They fill these lists in ``AppConfig.ready``; each
entry is called in the transaction of the change (``docs/architecture.md`` lists them)."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from customers.vendor import Vendor
from invoicing.catalog.models import MeteredComponent


class MeterCreated(Protocol):
    def __call__(self, vendor: Vendor, *, real_now: datetime) -> object:
        """Measurements that wait for their meter may have found one."""


on_meter_created: list[MeterCreated] = []


def meter_created(vendor: Vendor, *, real_now: datetime) -> None:
    for hook in on_meter_created:
        hook(vendor, real_now=real_now)


class LimitsChanged(Protocol):
    def __call__(self, component: MeteredComponent) -> object:
        """Usage that there is may be beyond a limit now."""


on_limits_changed: list[LimitsChanged] = []


def limits_changed(component: MeteredComponent) -> None:
    for hook in on_limits_changed:
        hook(component)
