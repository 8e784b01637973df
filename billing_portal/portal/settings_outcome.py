"""What saving settings did, in words, and which settings do nothing as they stand."""

from __future__ import annotations

from django.contrib import messages

from billing_portal.portal.access import OperatorRequest
from customers.settings.policy import SETTINGS, BillingPolicy
from customers.settings.verbs import Saved
from customers.settings.warnings import warnings_for


def tell_saved(request: OperatorRequest, what: str, saved: Saved) -> None:
    moved = {0: "No planned invoice moved.", 1: "1 planned invoice moved."}
    messages.success(request, f"{what} {moved.get(saved.moved, f'{saved.moved} planned invoices moved.')}")


def warnings_in_words(policy: BillingPolicy) -> dict[str, str]:
    """By setting, why its value does nothing; settings are called as the screen calls them."""
    return {name: _with_labels(text) for name, text in warnings_for(policy).items()}


def _with_labels(text: str) -> str:
    for setting in SETTINGS:
        text = text.replace(setting.name, f"“{setting.label}”")
    return text
