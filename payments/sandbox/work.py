"""An act of a person at one of the sandbox's pages, or of a test through the control API."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction
from django.utils import timezone

from payments.sandbox import events, idempotency, moments
from payments.sandbox.scope import Scope


@contextmanager
def at_work(account: str, livemode: bool) -> Iterator[Scope]:
    """One person's act: all that it changes, and the events that tell of it, commit together."""
    real_now = timezone.now()
    with transaction.atomic():
        idempotency.mark_busy(account, livemode)
        scope = Scope(account, livemode, moments.now(account, livemode, real_now), real_now)
        yield scope
        events.flush(scope)
