"""What saving settings did, in words."""

from __future__ import annotations

from django.contrib import messages

from billing_portal.portal.access import OperatorRequest
from customers.settings.verbs import SavedSettings


def saved_sentence(request: OperatorRequest, what: str, saved: SavedSettings) -> None:
    moved = {0: "No planned invoice moved.", 1: "1 planned invoice moved."}
    messages.success(request, f"{what} {moved.get(saved.moved, f'{saved.moved} planned invoices moved.')}")
    for warning in saved.warnings:
        messages.warning(request, str(warning))
