"""Writing every stored secret anew under the newest of ``FIELD_ENCRYPTION_KEYS``, so that an older one can go.

What the newest key opens already is left alone, so it may be stopped and started again at any time, beside the
running installation: each batch is a short transaction that locks the rows it writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from cryptography.fernet import InvalidToken
from django.apps import apps
from django.db import models, transaction
from django.db.models.functions import Cast

from billing_portal.api.models import IdempotentRequest
from customers.crypto import EncryptedTextField, newest, rotated

BATCH = 500


@dataclass
class Column:
    """One that holds tokens. ``bare``: how it is read and written without being opened."""

    model: type[models.Model]
    name: str
    bare: models.Field[Any, Any]
    fresh: int = 0
    rewritten: int = 0
    unreadable: int = 0

    def __str__(self) -> str:
        return f"{self.model._meta.label}.{self.name}"


def columns() -> Iterator[Column]:
    for model in apps.get_models():
        for field in model._meta.concrete_fields:
            if isinstance(field, EncryptedTextField):
                yield Column(model, field.name, models.TextField())
    yield Column(IdempotentRequest, "sealed_body", models.BinaryField())


def reencrypt(column: Column, *, write: bool, told: Callable[[Column], None] = lambda column: None) -> None:
    """Counts, and with ``write`` rewrites, in batches by id. ``told`` hears of each."""
    last: int | None = 0
    while last is not None:
        with transaction.atomic():
            last = _batch(column, last, write=write)
        told(column)


def _batch(column: Column, after: int, *, write: bool) -> int | None:
    """The last id looked at; None: there are no more."""
    rows = column.model._default_manager.filter(pk__gt=after).order_by("pk")
    if write:
        rows = rows.select_for_update(no_key=True)
    found = list(rows.annotate(token_there=Cast(column.name, column.bare)).values_list("pk", "token_there")[:BATCH])
    for pk, token in found:
        if token:
            _one(column, pk, bytes(token) if isinstance(token, memoryview) else token, write=write)
    return found[-1][0] if len(found) == BATCH else None


def _one(column: Column, pk: int, token: str | bytes, *, write: bool) -> None:
    if newest(token):
        column.fresh += 1
        return
    try:
        written = rotated(token)
    except InvalidToken:
        column.unreadable += 1
        return
    column.rewritten += 1
    if write:
        kept = written if isinstance(token, bytes) else written.decode()
        value = models.Value(kept, output_field=column.bare)
        column.model._default_manager.filter(pk=pk).update(**{column.name: value})
