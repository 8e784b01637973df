"""Many new rows at once, by COPY: what thousands of rows cost is then their indexes, not their statements."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from itertools import islice, repeat
from typing import Any, TypeAlias

from django.db import connection, models
from django.db.models.fields import NOT_PROVIDED

Encoder: TypeAlias = Callable[[Any], str]

# What a text may not say of itself in COPY's format, the escape itself first. One by one, which is much faster than
# ``str.translate`` is.
_ESCAPES = (("\\", r"\\"), ("\t", r"\t"), ("\n", r"\n"), ("\r", r"\r"))
_NULL = r"\N"
# Sent on its way in pieces of this size.
_PIECE = 500


def give_keys(objects: Sequence[models.Model]) -> None:
    """New objects of one model get the keys that they are going to have, with one query."""
    if not objects:
        return
    table, column = objects[0]._meta.db_table, objects[0]._meta.pk.column
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(series::regclass) FROM pg_get_serial_sequence(%s, %s) AS series, generate_series(1, %s)",
            [f'"{table}"', column, len(objects)],
        )
        for one, (key,) in zip(objects, cursor.fetchall(), strict=True):
            one.pk = key


def copy_objects(model: type[models.Model], objects: Sequence[models.Model]) -> None:
    """New rows as they stand; no ``save``, no signals. Without keys the database gives them, and does not tell."""
    names = [field.attname for field in _fields(model, keyed=any(one.pk for one in objects))]
    copy_rows(model, names, (tuple(map(vars(one).__getitem__, names)) for one in objects))


def _fields(model: type[models.Model], *, keyed: bool) -> list[models.Field[Any, Any]]:
    """What the database fills in by itself is left to it."""
    ours = (field for field in model._meta.concrete_fields if not field.generated)
    fields = [field for field in ours if field.db_default is NOT_PROVIDED]
    return [field for field in fields if keyed or not field.primary_key]


def copy_rows(model: type[models.Model], names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """``names`` are the fields' as they are stored (``invoice_id``); the values are in their order. Fields that are
    not named get what the database gives by itself, or nothing."""
    fields = [_field(model, name) for name in names]
    columns = ", ".join(f'"{field.column}"' for field in fields)
    encoders = [_encoder(field) for field in fields]
    with (
        connection.cursor() as cursor,
        cursor.copy(f'COPY "{model._meta.db_table}" ({columns}) FROM STDIN') as copy,
    ):
        left = iter(rows)
        while piece := list(islice(left, _PIECE)):
            texts = [_column(*each) for each in zip(encoders, zip(*piece, strict=True), strict=True)]
            copy.write("\n".join(map("\t".join, zip(*texts, strict=True))) + "\n")


def _column(encode: Encoder, values: Sequence[Any]) -> Iterable[str]:
    """What all rows share is written once: most fields of new rows hold what they have by default."""
    if len(set(map(id, values))) == 1:
        return repeat(encode(values[0]), len(values))
    return map(encode, values)


def _field(model: type[models.Model], name: str) -> models.Field[Any, Any]:
    return next(field for field in model._meta.concrete_fields if field.attname == name)


def _encoder(field: models.Field[Any, Any]) -> Encoder:
    if isinstance(field, models.JSONField):
        return _json_encoder(field)
    if not type(field).__module__.startswith("django."):  # Ours may keep something else than what they are given.
        return lambda value: _encoded(field.get_prep_value(value))
    return _encoded


def _encoded(value: Any) -> str:
    return _ENCODERS.get(type(value), _other)(value)


def _text(value: str) -> str:
    if "\\" in value or not value.isprintable():
        for said, escaped in _ESCAPES:
            value = value.replace(said, escaped)
    return value


def _flag(value: bool) -> str:
    return "t" if value else "f"


def _nothing(_: None) -> str:
    return _NULL


def _other(value: Any) -> str:
    return _text(str(value))


_ENCODERS: dict[type, Encoder] = {str: _text, bool: _flag, type(None): _nothing, int: str}


def _json_encoder(field: models.JSONField[Any, Any]) -> Encoder:
    """The same object is written the same, so it is encoded once: thousands of invoices share their settings."""
    dumps = json.JSONEncoder if field.encoder is None else field.encoder
    encode = dumps(ensure_ascii=False).encode
    last: list[Any] = [None, _NULL]

    def encoded(value: Any) -> str:
        if value is not last[0]:
            last[:] = value, _text(encode(value))
        return str(last[1])

    return encoded
