"""Sign-in codes: what an authenticator app shows (TOTP, RFC 6238), asked for after the password.

Off until an operator turns them on, with the password and a first code. Each code is good once, a little clock drift
is allowed, and guesses are counted (``throttle.py``). Recovery codes stand in for a lost app, each once.
"""

from __future__ import annotations

import base64
import hmac
import secrets
from collections.abc import Iterable
from datetime import datetime

import pyotp
from django.db import transaction

from billing_portal.accounts.models import Membership, Operator, RecoveryCode, SecondFactor, hash_key
from billing_portal.accounts.operators import end_sessions, tell_everywhere
from customers.actors import Actor
from customers.errors import Conflict, Invalid
from customers.events.models import EventKind
from customers.vendor import Vendor

# Steps of half a minute that an app's clock may be behind or ahead.
DRIFT = 1
RECOVERY_CODES = 10

WRONG = "This code is not right, or was used already. Wait for the next one in your app, and check your phone's clock."


def factor_of(operator: Operator) -> SecondFactor | None:
    return SecondFactor.objects.filter(operator=operator).first()


def is_on(operator: Operator) -> bool:
    return SecondFactor.objects.filter(operator=operator, confirmed_at__isnull=False).exists()


@transaction.atomic
def begin(operator: Operator, *, real_now: datetime) -> SecondFactor:
    """A new secret, of which nothing is asked before ``confirm``. Raises ``Conflict`` where codes are on."""
    Operator.objects.select_for_update(no_key=True).get(pk=operator.pk)
    if is_on(operator):
        raise Conflict("Sign-in codes are on already. Turn them off to set up another app.", code="codes_on")
    SecondFactor.objects.filter(operator=operator).delete()
    return SecondFactor.objects.create(operator=operator, secret=pyotp.random_base32(), created_at=real_now)


def address_for(factor: SecondFactor) -> str:
    """What the square code says to the app."""
    return pyotp.TOTP(factor.secret).provisioning_uri(name=factor.operator.email, issuer_name="Billing Portal")


@transaction.atomic
def confirm(operator: Operator, code: str, *, real_now: datetime) -> list[str]:
    """From now on codes are asked for; whoever is signed in elsewhere must sign in again. Answers the recovery codes,
    which can never be read again. Raises ``Invalid`` for a wrong code."""
    factor = SecondFactor.objects.select_for_update().filter(operator=operator, confirmed_at__isnull=True).first()
    if factor is None:
        raise Invalid({"code": "Nothing is being set up any more. Begin again."})
    if not _take(factor, code, real_now=real_now):
        raise Invalid({"code": WRONG})
    SecondFactor.objects.filter(pk=factor.pk).update(confirmed_at=real_now)
    end_sessions(operator, real_now=real_now)
    tell_everywhere(operator, EventKind.OPERATOR_CODES_ON, actor=operator.as_actor(), real_now=real_now)
    return _new_recovery_codes(factor)


@transaction.atomic
def renew_recovery_codes(operator: Operator) -> list[str]:
    """Those of before open nothing any more. Raises ``Conflict`` where codes are off."""
    factor = SecondFactor.objects.select_for_update().filter(operator=operator, confirmed_at__isnull=False).first()
    if factor is None:
        raise Conflict("Sign-in codes are off.", code="codes_off")
    factor.recovery_codes.all().delete()
    return _new_recovery_codes(factor)


@transaction.atomic
def turn_off(operator: Operator, *, actor: Actor, real_now: datetime) -> None:
    """Without effect where they are off."""
    was_on = is_on(operator)
    SecondFactor.objects.filter(operator=operator).delete()
    if was_on:
        tell_everywhere(operator, EventKind.OPERATOR_CODES_OFF, actor=actor, real_now=real_now)


def reset_by_owner(membership: Membership, *, actor: Actor, real_now: datetime) -> None:
    """Somebody lost app and recovery codes. An owner decides that for the own vendor only: whoever works for others,
    too, is reset by who runs the installation. Raises ``Conflict``."""
    operator = membership.operator
    if Membership.objects.filter(operator=operator).exclude(vendor=membership.vendor).exists():
        message = (
            f"{operator} works for other vendors as well, whose access these codes protect. Whoever runs this "
            "installation can turn them off: manage.py turn_off_codes."
        )
        raise Conflict(message, code="works_for_others")
    if not is_on(operator):
        raise Conflict(f"{operator} uses no sign-in codes.", code="codes_off")
    turn_off(operator, actor=actor, real_now=real_now)
    end_sessions(operator, real_now=real_now)


def users_of_codes(vendor: Vendor, operators: Iterable[int]) -> set[int]:
    """Which of these operators of the vendor have codes on."""
    ours = Membership.objects.of(vendor).filter(operator__in=operators, operator__second_factor__confirmed_at__gt=_EVER)
    return set(ours.values_list("operator_id", flat=True))


_EVER = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def accept(operator: Operator, code: str, *, real_now: datetime) -> bool:
    """Takes a code of the app, or a recovery code: true once for each."""
    factor = SecondFactor.objects.filter(operator=operator, confirmed_at__isnull=False).first()
    if factor is None:
        return False
    if _take(factor, code, real_now=real_now):
        return True
    return _recover(factor, code, real_now=real_now)


def _take(factor: SecondFactor, code: str, *, real_now: datetime) -> bool:
    given = code.replace(" ", "")
    if not (given.isascii() and given.isdigit()):
        return False
    totp = pyotp.TOTP(factor.secret)
    now = totp.timecode(real_now)
    found = [
        step for step in range(now - DRIFT, now + DRIFT + 1) if hmac.compare_digest(totp.generate_otp(step), given)
    ]
    if not found:
        return False
    # One statement, so that the same code sent twice at once is taken once.
    unused = SecondFactor.objects.filter(pk=factor.pk, last_step__lt=found[0])
    return bool(unused.update(last_step=found[0]))


@transaction.atomic
def _recover(factor: SecondFactor, code: str, *, real_now: datetime) -> bool:
    wanted = hash_key(_plain(code))
    if not factor.recovery_codes.filter(hash=wanted, used_at__isnull=True).update(used_at=real_now):
        return False
    operator = factor.operator
    tell_everywhere(operator, EventKind.OPERATOR_RECOVERED, actor=operator.as_actor(), real_now=real_now)
    return True


def _new_recovery_codes(factor: SecondFactor) -> list[str]:
    codes = [base64.b32encode(secrets.token_bytes(10)).decode().lower() for _ in range(RECOVERY_CODES)]
    RecoveryCode.objects.bulk_create(RecoveryCode(factor=factor, hash=hash_key(code)) for code in codes)
    return ["-".join(code[place : place + 4] for place in range(0, 16, 4)) for code in codes]


def _plain(code: str) -> str:
    return code.replace("-", "").replace(" ", "").lower()
