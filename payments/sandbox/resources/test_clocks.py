"""Test clocks: made at a moment, moved forward, and deleted together with their customers."""

from payments.sandbox import store
from payments.sandbox.errors import bad_request
from payments.sandbox.models import StoredObject
from payments.sandbox.pages import page
from payments.sandbox.params import Params, Text, Whole
from payments.sandbox.routing import endpoint
from payments.sandbox.scope import JSON, Scope, moment
from payments.sandbox.test_time import CLOCK

URL = "/v1/test_helpers/test_clocks"
DAY = 86_400
KEPT = 30 * DAY
# How far one step may go where there are no subscriptions.
FARTHEST = 2 * 365 * DAY


@endpoint("POST", URL, {"frozen_time": Whole(required=True, least=0), "name": Text(longest=300)})
def create(scope: Scope, params: Params) -> JSON:
    if scope.livemode:
        raise bad_request("Test clocks can only be used in test mode.")
    data = {
        "object": CLOCK,
        "created": scope.timestamp,
        "deletes_after": scope.timestamp + KEPT,
        "frozen_time": params["frozen_time"],
        "livemode": False,
        "name": params.get("name"),
        "status": "ready",
        "status_details": {"advancing": None},
    }
    row = store.insert(scope, data, event="test_helpers.test_clock.created")
    row.test_clock = row.stripe_id
    row.save(update_fields=["test_clock"])
    return row.data


@endpoint("GET", URL + "/{id}")
def retrieve(scope: Scope, params: Params, id: str) -> JSON:
    return store.get(scope, CLOCK, id).data


@endpoint("GET", URL, pages=True)
def list_(scope: Scope, params: Params) -> JSON:
    return page(store.query(scope, CLOCK), params, URL)


@endpoint("POST", URL + "/{id}/advance", {"frozen_time": Whole(required=True, least=0)})
def advance(scope: Scope, params: Params, id: str) -> JSON:
    """Answers at once; the pump does what falls due on the way."""
    row, target = store.lock(scope, CLOCK, id), params["frozen_time"]
    _check(row.data, target)
    changes = {"status": "advancing", "status_details": {"advancing": {"target_frozen_time": target}}}
    store.change(scope, row, changes, due_at=scope.now)
    scope.emit("test_helpers.test_clock.advancing", row.data)
    return row.data


def _check(clock: JSON, target: int) -> None:
    if clock["status"] != "ready":
        raise bad_request("The test clock is advancing. Wait until its status is ready.")
    if target <= clock["frozen_time"]:
        message = f"The new frozen_time must be after the clock's present one ({moment(clock['frozen_time'])})."
        raise bad_request(message, param="frozen_time")
    if target > clock["frozen_time"] + FARTHEST:
        raise bad_request("A test clock can be advanced by at most two years at a time.", param="frozen_time")


@endpoint("DELETE", URL + "/{id}")
def delete(scope: Scope, params: Params, id: str) -> JSON:
    """Whatever lived by it goes with it."""
    row = store.lock(scope, CLOCK, id)
    mine = StoredObject.objects.filter(account=scope.account, livemode=scope.livemode, test_clock=id)
    mine.exclude(object="event").exclude(pk=row.pk).delete()
    return store.delete(scope, row, event="test_helpers.test_clock.deleted")
