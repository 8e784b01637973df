"""Webhooks out: claim, commit, send, record. A claim that died is taken up again when its lease ends.

All times are real: a signature is fresh whatever the account's clock says.
"""

import hashlib
import hmac
import json
import threading
from datetime import datetime, timedelta
from typing import Any

import requests
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from payments.sandbox.models import Delivery

# Longer than a batch takes when its receiver answers; a sender that died is replaced after it.
LEASE = timedelta(seconds=20)
TIMEOUT = 5
BATCH = 10
# A failed attempt is repeated after these; then the delivery counts as failed. Stripe tries for three days in
# live mode, ever more slowly, and three times within a few hours in test mode.
LIVE_RETRIES = tuple(timedelta(minutes=m) for m in (1, 5, 30, 120, 300, 600, 720, 720, 720, 720))
TEST_RETRIES = tuple(timedelta(minutes=m) for m in (1, 30, 180))

_local = threading.local()


def signature(body: bytes, secret: str, timestamp: int) -> str:
    """The ``Stripe-Signature`` header for a body."""
    signed = f"{timestamp}.".encode() + body
    return f"t={timestamp},v1={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"


def deliver(
    real_now: datetime,
    account: str | None = None,
    livemode: bool = False,
    *,
    first_attempts_only: bool = False,
) -> int:
    """Send what is waiting, oldest first. Returns how many attempts were made."""
    sent = 0
    while claimed := _claim(real_now, account, livemode, first_attempts_only):
        for delivery in claimed:
            _attempt(delivery, real_now)
        sent += len(claimed)
    return sent


def untried(account: str, livemode: bool, real_now: datetime) -> bool:
    """Whether a first attempt is due or under way. Those ordered to be late are not waited for."""
    first = _pending(account, livemode).filter(attempts=0, endpoint__status="enabled")
    return first.filter(Q(is_late=False) | Q(next_attempt_at__lte=real_now)).exists()


def retries_in(livemode: bool) -> tuple[timedelta, ...]:
    return LIVE_RETRIES if livemode else TEST_RETRIES


def retry_now(real_now: datetime, account: str = "") -> int:
    """Do not wait for the next attempt of what failed or is late, as Stripe's "Resend" does."""
    waiting = Delivery.objects.filter(state=Delivery.State.PENDING, next_attempt_at__gt=real_now)
    if account:
        waiting = waiting.filter(account=account)
    return waiting.update(next_attempt_at=real_now)


def _pending(account: str | None, livemode: bool) -> QuerySet[Delivery]:
    pending = Delivery.objects.filter(state=Delivery.State.PENDING)
    return pending if account is None else pending.filter(account=account, livemode=livemode)


def _claim(real_now: datetime, account: str | None, livemode: bool, first_attempts_only: bool) -> list[Delivery]:
    waiting = _pending(account, livemode).filter(
        Q(leased_until=None) | Q(leased_until__lte=real_now), next_attempt_at__lte=real_now, endpoint__status="enabled"
    )
    if first_attempts_only:
        waiting = waiting.filter(attempts=0)
    with transaction.atomic():
        locked = waiting.select_for_update(skip_locked=True, of=("self",)).select_related("event", "endpoint")
        claimed = list(locked.order_by("position", "pk")[:BATCH])
        Delivery.objects.filter(pk__in=[d.pk for d in claimed]).update(leased_until=real_now + LEASE)
    return claimed


def _attempt(delivery: Delivery, real_now: datetime) -> None:
    status, error = _send(delivery)
    tried: dict[str, Any] = {
        "attempts": F("attempts") + 1,
        "leased_until": None,
        "last_status": status,
        "last_error": error,
    }
    if status is not None and 200 <= status < 300:
        tried["state"] = Delivery.State.DELIVERED
    elif delivery.attempts < len(retries := retries_in(delivery.livemode)):
        tried["next_attempt_at"] = real_now + retries[delivery.attempts]
    else:
        tried["state"] = Delivery.State.FAILED
    Delivery.objects.filter(pk=delivery.pk, state=Delivery.State.PENDING).update(**tried)


def _send(delivery: Delivery) -> tuple[int | None, str]:
    """The receiver's status, or why there was none. Redirects count as failures."""
    body = json.dumps(as_told(delivery.event.data, delivery.endpoint.hidden["connect"])).encode()
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
        "Stripe-Signature": signature(body, delivery.endpoint.hidden["secret"], int(timezone.now().timestamp())),
    }
    try:
        answer = _session().post(
            delivery.endpoint.data["url"], data=body, headers=headers, timeout=TIMEOUT, allow_redirects=False
        )
    except requests.RequestException as error:
        return None, str(error)
    return answer.status_code, "" if answer.ok else answer.text[:500]


def as_told(event: dict[str, Any], by_platform: bool) -> dict[str, Any]:
    """Only a platform is told which account it is about; one's own endpoint hears of nobody else."""
    return event if by_platform else {**event, "account": None}


def _session() -> requests.Session:
    if not hasattr(_local, "session"):
        _local.session = requests.Session()
        _local.session.trust_env = False
    session: requests.Session = _local.session
    return session
