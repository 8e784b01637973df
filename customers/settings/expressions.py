"""The same field-by-field inheritance as ``policy_for``, said in SQL, for set-based statements."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import Case, DurationField, ExpressionWrapper, OuterRef, Subquery, Value, When
from django.db.models.functions import Coalesce
from django.db.models.lookups import Exact

from customers.settings.declaration import Unit
from customers.settings.models import BillingSettingsOverride
from customers.settings.policy import BillingPolicy

_LENGTH_OF_UNIT = {
    Unit.MINUTE: timedelta(minutes=1),
    Unit.HOUR: timedelta(hours=1),
    Unit.DAY: timedelta(days=1),
}


def grace_period(name: str, policy: BillingPolicy) -> ExpressionWrapper[Any]:
    """The grace period of the customer of each updated row.

    ``name`` is ``invoice_grace_period`` or ``payment_grace_period``, ``policy`` the vendor's own policy.
    """
    unit = _effective(f"{name}_unit", policy)
    cases = [When(Exact(unit, Value(u.value)), then=Value(length)) for u, length in _LENGTH_OF_UNIT.items()]
    one = Case(*cases, output_field=DurationField())
    return ExpressionWrapper(_effective(f"{name}_length", policy) * one, output_field=DurationField())


def _effective(setting: str, policy: BillingPolicy) -> Coalesce:
    override = BillingSettingsOverride.objects.filter(customer=OuterRef("customer"))
    return Coalesce(Subquery(override.values(setting)[:1]), Value(getattr(policy, setting)))
