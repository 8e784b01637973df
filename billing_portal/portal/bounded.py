"""How many rows there are, as far as that is worth knowing: counting stops at a limit, whatever the table holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import IntegerField, Model, QuerySet, Subquery

from customers.vendor import Vendor

MOST_COUNTED = 1000


@dataclass(frozen=True)
class Count:
    """``1,000+`` where counting stopped."""

    value: int

    def __str__(self) -> str:
        return f"{MOST_COUNTED:,}+" if self.value > MOST_COUNTED else f"{self.value}"


class _Counted(Subquery):
    template = "(SELECT COUNT(*) FROM (%(subquery)s) counted)"
    output_field = IntegerField()


def count_each(vendor: Vendor, questions: Mapping[str, QuerySet[Any]]) -> dict[str, Count]:
    """The answers to many questions with one query. The order of each decides which index finds its rows."""
    limited = {f"n{place}": _Counted(_first(rows)) for place, rows in enumerate(questions.values())}
    found = Vendor.objects.filter(pk=vendor.pk).values_list(*limited.values())[0]
    return {key: Count(number) for key, number in zip(questions, found, strict=True)}


def count_up_to(vendor: Vendor, rows: QuerySet[Any]) -> Count:
    return count_each(vendor, {"": rows})[""]


def _first(rows: QuerySet[Model]) -> QuerySet[Any]:
    return rows.select_related(None).values("pk")[: MOST_COUNTED + 1]
