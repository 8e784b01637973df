"""/price_plans/paginate: price plans by pages, with the offsets that existing clients pass back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, TypedDict

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from customers.api.base import StrictSerializer, VendorView, done
from customers.api.paging import HIGHEST_LIMIT, beyond, linked, names_field
from customers.api.schema import documented
from customers.errors import Invalid
from invoicing.catalog import verbs
from invoicing.catalog.api.plans import PricePlanAnswer, plan_shape, with_components
from invoicing.catalog.models import PricePlan


class PricePlanPageQuery(StrictSerializer):
    names = names_field()
    tags = names_field()
    sort_column = serializers.ChoiceField(choices=["name", "created_at"], default="name")
    sort_direction = serializers.ChoiceField(choices=["asc", "desc"], default="asc")
    limit = serializers.IntegerField(default=10, min_value=1, max_value=HIGHEST_LIMIT)
    forward_sort_offset = serializers.CharField(required=False)
    forward_secondary_sort_offset = serializers.IntegerField(required=False, min_value=0, max_value=2**63 - 1)

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        if ("forward_sort_offset" in given) != ("forward_secondary_sort_offset" in given):
            refusal = "Pass back both forward_sort_offset and forward_secondary_sort_offset."
            raise serializers.ValidationError({"forward_sort_offset": refusal})
        return given


class _Offsets(TypedDict):
    forward_sort_offset: str | None
    forward_secondary_sort_offset: str | None


class PricePlanPageAnswer(_Offsets):
    """A page. Pass the two offsets back for the next one; null: this was the last."""

    price_plans: list[PricePlanAnswer]
    limit: int
    sort_column: str
    sort_direction: str


class PricePlanPageView(VendorView):
    @documented("list_price_plans_by_pages", query=PricePlanPageQuery, answer=PricePlanPageAnswer)
    def get(self, request: Request) -> Response:
        """The newest version of each plan that is not archived."""
        asked = self.read_query(PricePlanPageQuery)
        sign, limit = "-" if asked["sort_direction"] == "desc" else "", asked["limit"]
        order = (f"{sign}{asked['sort_column']}", f"{sign}pk")
        filters = {"names": "name__in", "tags": "tags__overlap"}
        rows = verbs.latest_plans(self.vendor).filter(
            **{filters[name]: asked[name] for name in filters if name in asked}
        )
        if "forward_sort_offset" in asked:
            rows = rows.filter(beyond(order, (_offset(asked), asked["forward_secondary_sort_offset"])))
        found = list(with_components(rows.order_by(*order))[: limit + 1])
        offsets = _offsets(found[limit - 1] if len(found) > limit else None, asked["sort_column"])
        page: PricePlanPageAnswer = {
            "price_plans": [plan_shape(plan) for plan in found[:limit]],
            "limit": limit,
            "sort_column": asked["sort_column"],
            "sort_direction": asked["sort_direction"],
            **offsets,
        }
        return linked(self, done(page), offsets)


def _offset(asked: dict[str, Any]) -> str | datetime:
    text: str = asked["forward_sort_offset"]
    if asked["sort_column"] == "name":
        return text
    try:
        # A plus sign that was not escaped in the address arrives as a space.
        moment = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        refusal = "Pass back what the last page answered, with the same sort_column."
        raise Invalid({"forward_sort_offset": refusal}) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _offsets(last: PricePlan | None, column: str) -> _Offsets:
    if last is None:
        return {"forward_sort_offset": None, "forward_secondary_sort_offset": None}
    value = getattr(last, column)
    text = value.isoformat() if isinstance(value, datetime) else str(value)
    return {"forward_sort_offset": text, "forward_secondary_sort_offset": str(last.pk)}
