"""What Stripe does not keep for ever: answers to idempotency keys, and events. Real time counts."""

from datetime import datetime, timedelta

from payments.sandbox.models import IdempotentAnswer, StoredObject

KEYS_LAST = timedelta(hours=24)
EVENTS_LAST = timedelta(days=30)
EVERY = timedelta(minutes=10)


def forget(real_now: datetime) -> None:
    IdempotentAnswer.objects.filter(stored_at__lt=real_now - KEYS_LAST).delete()
    oldest = (real_now - EVENTS_LAST).timestamp()
    StoredObject.objects.filter(object="event", hidden__stored_at__lt=oldest).delete()
