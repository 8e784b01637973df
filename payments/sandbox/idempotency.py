"""Idempotency keys. The work, its events and the stored answer commit together, so a key either
has an answer or has done nothing; an advisory lock held by the transaction marks a running request."""

import hashlib
import json
from typing import Any

from django.db import connection, transaction

from payments.sandbox.errors import StripeError, bad_request
from payments.sandbox.models import IdempotentAnswer
from payments.sandbox.scope import Scope

LONGEST = 255
BUSY = "pg_advisory_xact_lock_shared(hashtextextended(%s, 1))"
RUNNING = "pg_try_advisory_xact_lock(hashtextextended(%s, 2))"


def fingerprint(what: str, given: dict[str, Any]) -> str:
    """Of the method, the path and every parameter."""
    text = json.dumps([what, given], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def mark_busy(account: str, livemode: bool) -> None:
    """Until the transaction ends, ``is_busy`` tells other processes that work is going on here."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {BUSY}", [_account(account, livemode)])


def is_busy(account: str, livemode: bool) -> bool:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 1))", [_account(account, livemode)])
        return not cursor.fetchone()[0]


def enter(scope: Scope) -> None:
    """Mark the account as busy and the key as running until the transaction ends; refuse a key
    that is running elsewhere."""
    account, key = _account(scope.account, scope.livemode), scope.idempotency_key
    if not key:
        return mark_busy(scope.account, scope.livemode)
    if len(key) > LONGEST:
        raise bad_request(f"Idempotency keys can be at most {LONGEST} characters long.")
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {BUSY}, {RUNNING}", [account, f"{account}/{key}"])
        if not cursor.fetchone()[1]:
            raise _in_use(key)
    return None


def _account(account: str, livemode: bool) -> str:
    return f"{account}/{livemode}"


def stored(scope: Scope, print_: str) -> IdempotentAnswer | None:
    """The answer already given for this key; refuses the key for another request."""
    if not scope.idempotency_key:
        return None
    answer = IdempotentAnswer.objects.filter(
        account=scope.account, livemode=scope.livemode, key=scope.idempotency_key
    ).first()
    if answer and answer.fingerprint != print_:
        raise _other_request(answer.key)
    return answer


def store(scope: Scope, print_: str, status: int, body: str) -> None:
    if scope.idempotency_key:
        IdempotentAnswer.objects.create(
            account=scope.account,
            livemode=scope.livemode,
            key=scope.idempotency_key,
            fingerprint=print_,
            request_id=scope.request or "",
            status=status,
            body=body,
            stored_at=scope.real_now,
        )


def _in_use(key: str) -> StripeError:
    message = (
        f"There is currently another in-progress request using this Idempotent Key (that probably means you "
        f"submitted twice, and the other request is still going through): {key}. Please try again later."
    )
    return StripeError(409, message, type="idempotency_error", code="idempotency_key_in_use")


def _other_request(key: str) -> StripeError:
    message = (
        "Keys for idempotent requests can only be used with the same parameters they were first used with. "
        f"Try using a key other than '{key}' if you meant to execute a different request."
    )
    return StripeError(400, message, type="idempotency_error")
