"""Where Stripe delivers: ``POST /webhooks/stripe/``. Answered in milliseconds, without a call to anybody."""

from __future__ import annotations

import logging

from django.db import transaction
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from payments.stripe import inbox, secrets, signature, tally

logger = logging.getLogger(__name__)


@csrf_exempt
@require_POST
def stripe_webhook(request: HttpRequest) -> JsonResponse:
    """200 once the event is stored; 400 for a bad signature or body, 413 for a body that is too large."""
    if _announced_length(request) > inbox.MAX_BODY:
        return _refused("The body is too large for a Stripe event.", 413)
    now = timezone.now()
    try:
        account = secrets.signed_for(request.body, request.headers.get("Stripe-Signature", ""), real_now=now)
        incoming = secrets.attributed(inbox.parse(request.body), account)
    except (signature.BadSignature, inbox.Malformed) as error:
        logger.warning("Refused a Stripe webhook: %s", error)
        if isinstance(error, signature.BadSignature):
            tally.note_refusal(real_now=now)
        return _refused(str(error), 400)
    inbox.store(incoming, real_now=now)
    # Robust: with the broker out of reach the event is stored all the same, and swept up later.
    transaction.on_commit(_nudge, robust=True)
    return JsonResponse({"received": True})


def _nudge() -> None:
    from payments.tasks import hand_out_events

    inbox.ARRIVALS.give(hand_out_events)


def _announced_length(request: HttpRequest) -> int:
    length = request.headers.get("Content-Length") or "0"
    return int(length) if length.isdigit() else 0


def _refused(message: str, status: int) -> JsonResponse:
    return JsonResponse({"code": status, "status": "Refused", "message": message}, status=status)
