"""Events: what changed, as it was at that moment, and to whom it must be delivered."""

from django.db import transaction
from django.db.models import Q

from payments.sandbox import wakeup, webhook_faults
from payments.sandbox.ids import new_id
from payments.sandbox.models import Connection, Delivery, StoredObject
from payments.sandbox.scope import JSON, News, Scope
from payments.sandbox.store import build, insert_many

# The version the SDK pins; a test compares the two.
API_VERSION = "2026-10-28.endive"


def flush(scope: Scope) -> None:
    """Write the scope's events and their deliveries, in the transaction of the work itself."""
    if not scope.news:
        return
    endpoints = _endpoints(scope)
    pairs = [(news, [e for e in endpoints if _wants(e, news.type)]) for news in scope.news]
    rows = insert_many(build(scope, _event(scope, news, len(wanting))) for news, wanting in pairs)
    if any(wanting for _, wanting in pairs):
        faults = webhook_faults.ordered(scope)
        Delivery.objects.bulk_create(
            delivery
            for row, (_, wanting) in zip(rows, pairs, strict=True)
            for delivery in webhook_faults.deliveries(scope, row, wanting, faults)
        )
    scope.news.clear()
    transaction.on_commit(wakeup.nudge)


def _event(scope: Scope, news: News, receivers: int) -> JSON:
    data: JSON = {"object": news.object}
    if news.previous is not None:
        data["previous_attributes"] = news.previous
    return {
        "id": new_id("event"),
        "object": "event",
        "account": scope.account,
        "api_version": API_VERSION,
        "context": None,
        "created": scope.timestamp,
        "data": data,
        "livemode": scope.livemode,
        "pending_webhooks": receivers,
        "request": {"id": scope.request, "idempotency_key": scope.idempotency_key},
        "type": news.type,
    }


def _endpoints(scope: Scope) -> list[StoredObject]:
    """The account's own endpoints, and the Connect endpoints of the platforms it is connected to. A live Connect
    endpoint hears of test mode, too, from accounts that are connected live."""
    wanted = Q(livemode=scope.livemode, account=scope.account, hidden__connect=False)
    for livemode in {scope.livemode, True}:
        platforms = Connection.objects.filter(account=scope.account, livemode=livemode).values("platform_id")
        wanted |= Q(livemode=livemode, account__in=platforms, hidden__connect=True)
    rows = StoredObject.objects.filter(wanted, object="webhook_endpoint", status="enabled")
    return list(rows.order_by("pk"))


def _wants(endpoint: StoredObject, type: str) -> bool:
    enabled = endpoint.data["enabled_events"]
    return "*" in enabled or type in enabled
