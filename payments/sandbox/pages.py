"""Lists as Stripe pages them: newest first, a cursor on either side."""

from typing import Any

from django.db.models import Q, QuerySet

from payments.sandbox.errors import bad_request, no_such
from payments.sandbox.models import StoredObject
from payments.sandbox.params import Params
from payments.sandbox.scope import JSON

BOUNDS = {"exact": "created", "gt": "created__gt", "gte": "created__gte", "lt": "created__lt", "lte": "created__lte"}


def page(rows: QuerySet[StoredObject], params: Params, url: str, *, oldest_first: bool = False) -> JSON:
    """``rows`` narrowed by the request's cursor, limit and ``created`` bounds."""
    if "starting_after" in params and "ending_before" in params:
        raise bad_request("You cannot use both `starting_after` and `ending_before`.", param="ending_before")
    rows = rows.filter(deleted=False, **_created(params))
    limit = params.get("limit", 10)
    backwards = "ending_before" in params
    found = list(_from_cursor(rows, params, oldest_first, backwards)[: limit + 1])
    kept = found[:limit]
    if backwards:
        kept.reverse()
    return as_list([row.data for row in kept], url, has_more=len(found) > limit)


def as_list(data: list[Any], url: str, *, has_more: bool = False) -> JSON:
    return {"object": "list", "data": data, "has_more": has_more, "url": url}


def _created(params: Params) -> dict[str, int]:
    return {BOUNDS[bound]: value for bound, value in (params.get("created") or {}).items()}


def _from_cursor(
    rows: QuerySet[StoredObject], params: Params, oldest_first: bool, backwards: bool
) -> QuerySet[StoredObject]:
    ascending = oldest_first != backwards
    name = "ending_before" if backwards else "starting_after"
    if name in params:
        cursor = rows.model._default_manager.filter(stripe_id=params[name]).values_list("pk", flat=True).first()
        if cursor is None:
            raise no_such("object", params[name], param=name)
        rows = rows.filter(Q(pk__gt=cursor) if ascending else Q(pk__lt=cursor))
    return rows.order_by("pk" if ascending else "-pk")
