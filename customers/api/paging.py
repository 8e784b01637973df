"""Pages of lists that are answered as plain arrays.

Without ``limit`` a list is answered whole, as existing clients expect. With it a page is answered, and where there
is more, the place to go on from: ``X-Next-Cursor``, and the whole address in ``Link``. The place is the last row's
sorted values, so pages neither overlap nor skip while rows come and go. It is signed for its list: whatever comes
back was made here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, TypeVar

from django.core import signing
from django.db.models import Model, Q, QuerySet
from rest_framework import serializers
from rest_framework.response import Response

from customers.api.base import StrictSerializer, VendorView, done
from customers.errors import Invalid

M = TypeVar("M", bound=Model)

HIGHEST_LIMIT = 1000
NEXT = "X-Next-Cursor"


class CursorQuery(StrictSerializer):
    """``filters``: the lookup that each parameter of a subclass stands for."""

    filters: ClassVar[Mapping[str, str]] = {}

    limit = serializers.IntegerField(
        required=False, min_value=1, max_value=HIGHEST_LIMIT, help_text="Rows a page. Left out: the whole list."
    )
    cursor = serializers.CharField(
        required=False, max_length=2000, help_text=f"From the {NEXT} header of the page before."
    )


def names_field() -> serializers.ListField:
    """``?names=a&names=b``"""
    return serializers.ListField(
        child=serializers.CharField(), required=False, max_length=HIGHEST_LIMIT, help_text="Only these; repeat it."
    )


def listed(
    view: VendorView,
    rows: QuerySet[M],
    shape: Callable[[M], Any],
    *,
    order: Sequence[str],
    query: type[CursorQuery] = CursorQuery,
) -> Response:
    """The answer to a list: what the query asks for, in ``order``, which ends with a unique column."""
    asked = view.read_query(query)
    lookups = {lookup: asked[name] for name, lookup in query.filters.items() if name in asked}
    rows = rows.filter(**lookups).order_by(*order)
    salt = f"{view.request.path}:{','.join(order)}"
    if "cursor" in asked:
        rows = rows.filter(beyond(order, _place(asked["cursor"], salt)))
    limit = asked.get("limit")
    found = list(rows if limit is None else rows[: limit + 1])
    shown = found[:limit]
    response = done([shape(row) for row in shown])
    if len(found) > len(shown):
        response[NEXT] = signing.dumps(_values(shown[-1], order), salt=salt)
    return linked(view, response, {"cursor": response.get(NEXT)})


def linked(view: VendorView, response: Response, place: Mapping[str, Any]) -> Response:
    """The address of the page after, where there is one: this one's query with another ``place``."""
    if all(value is not None for value in place.values()):
        query = view.request.query_params.copy()
        for name, value in place.items():
            query[name] = value
        address = view.request.build_absolute_uri(f"{view.request.path}?{query.urlencode()}")
        response["Link"] = f'<{address}>; rel="next"'
    return response


def _values(row: Model, order: Sequence[str]) -> list[Any]:
    values = [getattr(row, column.removeprefix("-")) for column in order]
    return [value.isoformat() if isinstance(value, datetime) else value for value in values]


def _place(cursor: str, salt: str) -> list[Any]:
    try:
        values: list[Any] = signing.loads(cursor, salt=salt)
    except signing.BadSignature:
        refusal = f"Pass back the {NEXT} of this list's last page, or leave it out to start again."
        raise Invalid({"cursor": refusal}) from None
    return values


def beyond(order: Sequence[str], values: Sequence[Any]) -> Q:
    """Rows behind the place: greater in the first column, or equal there and greater in the next, and so on.

    That the first column is not before the place follows from it; said by itself, an index is entered there."""
    beyond, equal = Q(), Q()
    for column, value in zip(order, values, strict=True):
        side = "lt" if column.startswith("-") else "gt"
        name = column.removeprefix("-")
        beyond |= equal & Q(**{f"{name}__{side}": value})
        equal &= Q(**{name: value})
    first = "lte" if order[0].startswith("-") else "gte"
    return Q(**{f"{order[0].removeprefix('-')}__{first}": values[0]}) & beyond
