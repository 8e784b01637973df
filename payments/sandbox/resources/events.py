"""Events, as the API shows them after the fact."""

from collections import Counter
from typing import Any

from payments.sandbox import deliveries, store
from payments.sandbox.models import Delivery
from payments.sandbox.pages import page
from payments.sandbox.params import Flag, Many, Params, Text
from payments.sandbox.routing import endpoint
from payments.sandbox.scope import JSON, Scope


@endpoint("GET", "/v1/events/{id}")
def retrieve(scope: Scope, params: Params, id: str) -> JSON:
    event = store.get(scope, "event", id)
    told = deliveries.as_told(event.data, scope.platform != scope.account)
    return {**told, "pending_webhooks": _pending([id])[id]}


@endpoint(
    "GET",
    "/v1/events",
    {"type": Text(), "types": Many(of=Text(), most=20), "delivery_success": Flag()},
    pages=True,
)
def list_(scope: Scope, params: Params) -> JSON:
    rows = store.query(scope, "event")
    if "type" in params:
        wanted = params["type"]
        rows = rows.filter(type__startswith=wanted[:-1]) if wanted.endswith("*") else rows.filter(type=wanted)
    if "types" in params:
        rows = rows.filter(type__in=params["types"])
    if "delivery_success" in params:
        undelivered = Delivery.objects.exclude(state=Delivery.State.DELIVERED).values("event")
        rows = rows.exclude(pk__in=undelivered) if params["delivery_success"] else rows.filter(pk__in=undelivered)
    found = page(rows, params, "/v1/events")
    pending = _pending([event["id"] for event in found["data"]])
    told = [deliveries.as_told(event, scope.platform != scope.account) for event in found["data"]]
    found["data"] = [{**event, "pending_webhooks": pending[event["id"]]} for event in told]
    return found


def _pending(ids: list[str]) -> Counter[Any]:
    """How many endpoints still wait for each event."""
    waiting = Delivery.objects.filter(event__stripe_id__in=ids, state=Delivery.State.PENDING)
    return Counter(waiting.values_list("event__stripe_id", flat=True))
