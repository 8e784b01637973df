"""What every table of ours shows in the Django admin: rows to look at, and no secrets.

Whatever a verb or the schedule writes is read-only there, so that nothing goes around the rules. Searching compares
whole values in columns that an index finds, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db import connection, models
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from customers.crypto import EncryptedTextField

COLUMNS = 8
# Tables of a few rows, so that an index that begins with one of these finds what comes next in it.
_FEW = ("vendor", "connection")
_SECRETS = ("secret", "token", "hash", "password", "otp", "recovery")
# Rows whose own text needs nothing of another table.
_PLAIN = (
    "Vendor",
    "Customer",
    "Operator",
    "Meter",
    "Invoice",
    "Coupon",
    "Event",
    "WebhookEndpoint",
    "StripeConnection",
)
_COUNTED = 10_000


def is_secret(field: models.Field[Any, Any]) -> bool:
    if isinstance(field, EncryptedTextField | models.BinaryField):
        return True
    return not field.is_relation and any(word in field.name for word in _SECRETS)


def secrets_of(model: type[models.Model]) -> list[str]:
    return [field.name for field in model._meta.concrete_fields if is_secret(field)]


def columns_of(model: type[models.Model]) -> list[str]:
    """The first few short columns: enough to recognise a row by. Of another row whose text would need more queries,
    the id."""
    return [_column(field) for field in model._meta.concrete_fields if _is_short(field)][:COLUMNS]


def _is_short(field: models.Field[Any, Any]) -> bool:
    return not isinstance(field, models.JSONField) and not is_secret(field)


def _column(field: models.Field[Any, Any]) -> str:
    return field.attname if field.is_relation and not _is_plain(field) else field.name


def _is_plain(field: models.Field[Any, Any]) -> bool:
    return field.is_relation and field.related_model.__name__ in _PLAIN  # type: ignore[union-attr]


def searched_columns(model: type[models.Model]) -> dict[str, str]:
    """Each column that an index finds a whole value in, and the column of few values that comes before it, or ''."""
    found = {field.name: "" for field in model._meta.concrete_fields if field.unique and _is_searched(field)}
    for columns in _indexed(model):
        for name, before in _reached(columns):
            if _is_searched(model._meta.get_field(name)):
                found.setdefault(name, before)
    return found


def _is_searched(field: Any) -> bool:
    kinds = (models.CharField, models.UUIDField, models.AutoField)
    return isinstance(field, kinds) and not is_secret(field) and not field.choices


def _indexed(model: type[models.Model]) -> Iterable[Sequence[str]]:
    for index in model._meta.indexes:
        if index.fields and index.condition is None and type(index) is models.Index:
            yield [name.removeprefix("-") for name in index.fields]
    for constraint in model._meta.constraints:
        if isinstance(constraint, models.UniqueConstraint) and constraint.condition is None:
            yield constraint.fields


def _reached(columns: Sequence[str]) -> Iterable[tuple[str, str]]:
    yield from [(name, "") for name in columns[:1]]
    if len(columns) > 1 and columns[0] in _FEW:
        yield columns[1], columns[0]


class FewCounts(Paginator):  # type: ignore[type-arg]
    """A long table is not counted for a page of it: the database's own estimate is near enough."""

    @cached_property
    def count(self) -> int:
        query = getattr(self.object_list, "query", None)
        if query is None or query.where:
            return super().count
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT reltuples::bigint FROM pg_class WHERE oid = %s::regclass", [query.model._meta.db_table]
            )
            row = cursor.fetchone()
        return row[0] if row and row[0] > _COUNTED else super().count


class ReadOnlyAdmin(ModelAdmin):  # type: ignore[misc]
    show_full_result_count = False
    list_per_page = 50
    paginator = FewCounts
    formfield_overrides = {models.URLField: {"assume_scheme": "https"}}

    def get_exclude(self, request: HttpRequest, obj: models.Model | None = None) -> list[str]:
        return secrets_of(self.model)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def get_search_fields(self, request: HttpRequest) -> list[str]:
        return list(searched_columns(self.model))

    def get_search_results(
        self, request: HttpRequest, queryset: models.QuerySet[Any], search_term: str
    ) -> tuple[models.QuerySet[Any], bool]:
        """A whole value. What a column cannot hold is not looked for in it."""
        text = search_term.strip()
        if not text:
            return queryset, False
        wanted = models.Q(pk__in=[])
        for name, before in searched_columns(self.model).items():
            wanted |= self._equals(name, before, text)
        return queryset.filter(wanted), False

    def _equals(self, name: str, before: str, text: str) -> models.Q:
        field = self.model._meta.get_field(name)
        try:
            value = field.to_python(text)
        except ValidationError:
            return models.Q()
        if isinstance(field, models.AutoField) and abs(value) >= 2**63:
            return models.Q()
        few = self.model._meta.get_field(before).related_model if before else None
        first = {f"{before}__in": few._default_manager.all()} if few else {}
        return models.Q(**{name: value}, **first)


def read_only(model: type[models.Model], base: type[ReadOnlyAdmin] = ReadOnlyAdmin) -> type[ReadOnlyAdmin]:
    related = [field.name for field in model._meta.concrete_fields if _is_plain(field)]
    shape = {"list_display": columns_of(model), "list_select_related": related or False}
    return type(f"{model.__name__}Admin", (base,), shape)
