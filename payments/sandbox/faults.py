"""Misbehaviour on demand: what the next matching requests suffer, before or after their work."""

import re

from django.db import transaction
from django.db.models import F, Q

from payments.sandbox.errors import StripeError, server_error
from payments.sandbox.models import Fault
from payments.sandbox.scope import Scope

KINDS = (
    "timeout_before",
    "timeout_after",
    "error_500_before",
    "error_500_after",
    "rate_limit",
    "lock_timeout",
    "conflict",
)


class Dropped(Exception):
    """The connection ends without an answer."""


def take(scope: Scope, method: str, path: str) -> str | None:
    """The kind of fault this request suffers; uses up one of the fault's times."""
    if not Fault.objects.exists():
        return None
    with transaction.atomic():
        waiting = Fault.objects.select_for_update().filter(
            Q(account="") | Q(account=scope.account), Q(method="") | Q(method=method), times__gt=0
        )
        for fault in waiting.order_by("pk"):
            if re.search(fault.path_regex, path):
                Fault.objects.filter(pk=fault.pk).update(times=F("times") - 1)
                return fault.kind
    return None


def before(kind: str | None) -> None:
    """Faults that strike before anything is done, and so leave nothing stored."""
    if kind == "timeout_before":
        raise Dropped
    if kind == "error_500_before":
        raise server_error()
    if kind == "rate_limit":
        message = (
            "Request rate limit exceeded. You can learn more about rate limits at https://stripe.com/docs/rate-limits."
        )
        raise StripeError(429, message, code="rate_limit")
    if kind == "lock_timeout":
        message = (
            "This object cannot be accessed right now because another API request or Stripe process is "
            "currently accessing it. If you see this error intermittently, retry the request."
        )
        raise StripeError(429, message, code="lock_timeout")
    if kind == "conflict":
        raise StripeError(409, "The request conflicts with another one. Try again.")


def after(kind: str | None) -> None:
    """Faults that lose the answer of work that is done and kept."""
    if kind == "timeout_after":
        raise Dropped
    if kind == "error_500_after":
        raise server_error()
