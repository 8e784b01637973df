"""Webhook endpoints: an account's own, or with ``connect`` those of a platform for all its accounts."""

from payments.sandbox import store
from payments.sandbox.ids import random_text
from payments.sandbox.pages import page
from payments.sandbox.params import Flag, Many, Metadata, Params, Text, merged_metadata
from payments.sandbox.routing import endpoint
from payments.sandbox.scope import JSON, Scope


@endpoint(
    "POST",
    "/v1/webhook_endpoints",
    {
        "url": Text(required=True, longest=2048),
        "enabled_events": Many(required=True, of=Text()),
        "api_version": Text(),
        "connect": Flag(),
        "description": Text(unset=True),
        "metadata": Metadata(),
    },
)
def create(scope: Scope, params: Params) -> JSON:
    """The secret is shown here and never again."""
    secret = f"whsec_{random_text(32)}"
    connect = params.get("connect", False)
    data = {
        "object": "webhook_endpoint",
        "api_version": params.get("api_version"),
        "application": None,
        "created": scope.timestamp,
        "description": params.get("description"),
        "enabled_events": params["enabled_events"],
        "livemode": scope.livemode,
        "metadata": merged_metadata({}, params.get("metadata")),
        "status": "enabled",
        "url": params["url"],
    }
    row = store.insert(scope, data, hidden={"secret": secret, "connect": connect})
    return {**row.data, "secret": secret}


@endpoint("GET", "/v1/webhook_endpoints/{id}")
def retrieve(scope: Scope, params: Params, id: str) -> JSON:
    return store.get(scope, "webhook_endpoint", id).data


@endpoint(
    "POST",
    "/v1/webhook_endpoints/{id}",
    {
        "url": Text(longest=2048),
        "enabled_events": Many(of=Text()),
        "disabled": Flag(),
        "description": Text(unset=True),
        "metadata": Metadata(),
    },
)
def update(scope: Scope, params: Params, id: str) -> JSON:
    row = store.lock(scope, "webhook_endpoint", id)
    changes: JSON = {n: params[n] for n in ("url", "enabled_events", "description") if n in params}
    if "disabled" in params:
        changes["status"] = "disabled" if params["disabled"] else "enabled"
    if "metadata" in params:
        changes["metadata"] = merged_metadata(row.data["metadata"], params["metadata"])
    store.change(scope, row, changes)
    return row.data


@endpoint("DELETE", "/v1/webhook_endpoints/{id}")
def delete(scope: Scope, params: Params, id: str) -> JSON:
    row = store.lock(scope, "webhook_endpoint", id)
    row.delete()
    return {"id": id, "object": "webhook_endpoint", "deleted": True}


@endpoint("GET", "/v1/webhook_endpoints", pages=True)
def list_(scope: Scope, params: Params) -> JSON:
    return page(store.query(scope, "webhook_endpoint"), params, "/v1/webhook_endpoints")
