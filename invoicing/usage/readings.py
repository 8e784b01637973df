"""Reading measurements as they were sent. One pass over plain dicts, because they come by the thousand."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal, InvalidOperation
from typing import Any

from customers.errors import Invalid
from invoicing.usage.writing import ARRIVAL

FIELDS = frozenset({"value", "meter_name", "event_name", "customer_name", "time", "labels", "id", "reset_total"})
MOST_AT_ONCE = 10_000

# What the column holds: 18 digits before the point and 12 after it.
_TOO_LARGE = Decimal("1e18")
_STEP = Decimal("1e-12")
_ROOM = Context(prec=40)
_NAME_LENGTH = 128
_ID_LENGTH = 255
_NUL = "\0"

# By the vendor's clock.
LONGEST_AGO = timedelta(days=10 * 366)
FARTHEST_AHEAD = timedelta(days=5 * 366)
MOST_LABELS = 64
_LABEL_LENGTH = 10_000


@dataclass(frozen=True, slots=True)
class Reading:
    """A measurement as it was sent, understood and complete, but not yet anybody's. ``at`` is its place in a batch."""

    at: str
    value: Decimal
    time: datetime
    meter_name: str = ""
    event_name: str = ""
    customer_name: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    external_id: str = ""
    reset_total: bool = False

    @property
    def given_id(self) -> str:
        """The id that was sent; ours is nobody's business."""
        return "" if self.external_id.startswith(ARRIVAL) else self.external_id


def read_batch(items: Any, *, now: datetime) -> list[Reading]:
    """All of them, or ``Invalid`` with every item at fault, named by its place: ``0.value``."""
    if not isinstance(items, list | tuple):
        raise Invalid({"body": "Send a list of measurements."})
    if len(items) > MOST_AT_ONCE:
        raise Invalid({"body": f"Send at most {MOST_AT_ONCE:,} measurements at once; these are {len(items):,}."})
    readings: list[Reading] = []
    errors: dict[str, Sequence[str] | str] = {}
    for place, item in enumerate(items):
        try:
            readings.append(_read(item, f"{place}.", now))
        except Invalid as refusal:
            errors.update(refusal.errors)
    if errors:
        raise Invalid(errors)
    return readings


def read_one(item: Any, *, now: datetime) -> Reading:
    return _read(item, "", now)


def read_rows(rows: Sequence[tuple[str, Mapping[str, Any]]], *, now: datetime) -> list[Reading]:
    """Those of a file, whose values are text; with every row at fault named by its place: ``row 2.value``."""
    readings: list[Reading] = []
    errors: dict[str, Sequence[str] | str] = {}
    for place, item in rows:
        try:
            readings.append(_read({**item, "value": _number(item.get("value"))}, f"{place}.", now))
        except Invalid as refusal:
            errors.update(refusal.errors)
    if errors:
        raise Invalid(errors)
    return readings


def _number(text: Any) -> Any:
    """What is none is refused where it is read, as it was written."""
    try:
        return None if text is None else Decimal(text)
    except InvalidOperation:
        return text


def _read(item: Any, at: str, now: datetime) -> Reading:
    if not isinstance(item, Mapping):
        raise Invalid({at.rstrip(".") or "body": "A measurement is an object with at least a value and a meter_name."})
    for name in item:
        if name not in FIELDS:
            raise Invalid({f"{at}{name}": f"Unknown field. Known: {', '.join(sorted(FIELDS))}."})
    meter_name, event_name = _meter_or_event(item, at)
    time, external_id = _time(item.get("time"), f"{at}time", now), _text(item, "id", at, _ID_LENGTH)
    return Reading(
        at=at,
        value=_value(item, at),
        time=time or now,
        meter_name=meter_name,
        event_name=event_name,
        customer_name=_text(item, "customer_name", at),
        labels=_labels(item.get("labels"), f"{at}labels"),
        # Two that arrive without a time must not replace each other because they arrived together.
        external_id=external_id or ("" if time else _arrival_id(at)),
        reset_total=_flag(item, "reset_total", at),
    )


def _arrival_id(at: str) -> str:
    """Of those that arrived together, the later in the batch sorts last."""
    return f"{ARRIVAL}{at.rstrip('.').removeprefix('row ').zfill(len(str(MOST_AT_ONCE)))}-{uuid.uuid4()}"


def _meter_or_event(item: Mapping[str, Any], at: str) -> tuple[str, str]:
    meter_name, event_name = _text(item, "meter_name", at), _text(item, "event_name", at)
    if bool(meter_name) == bool(event_name):
        raise Invalid({f"{at}meter_name": "Give either a meter_name or an event_name."})
    return meter_name, event_name


def _value(item: Mapping[str, Any], at: str) -> Decimal:
    value = item.get("value")
    if value is None:
        raise Invalid({f"{at}value": "Give a value: how much was used."})
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise Invalid({f"{at}value": f"{_shown(value)} is not a number."})
    try:
        number = Decimal(str(value)) if isinstance(value, float) else Decimal(value)
        if abs(number) < _TOO_LARGE:
            return number.quantize(_STEP, context=_ROOM)
    except InvalidOperation:
        pass  # NaN compares with nothing.
    raise Invalid({f"{at}value": "Out of range: give a number below 10^18."})


def _time(value: Any, at: str, now: datetime) -> datetime | None:
    """Without an offset it is UTC. Measurements are kept by months, so a typing error must not make thousands."""
    if value is None:
        return None
    try:
        time = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        raise Invalid({at: f"{_shown(value)} is not a time: write it like 2026-03-01T12:00:00Z."}) from None
    if not now - LONGEST_AGO <= time <= now + FARTHEST_AHEAD:
        oldest, newest = (f"{moment:%Y-%m-%d}" for moment in (now - LONGEST_AGO, now + FARTHEST_AHEAD))
        raise Invalid({at: f"{_shown(value)} is too far off: give a time from {oldest} to {newest}."})
    return time


def _text(item: Mapping[str, Any], name: str, at: str, longest: int = _NAME_LENGTH) -> str:
    value = item.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Invalid({f"{at}{name}": f"{_shown(value)} is not text."})
    if len(value) > longest:
        raise Invalid({f"{at}{name}": f"At most {longest} characters; these are {len(value)}."})
    _refuse_unstorable(value, f"{at}{name}")
    return value


def _refuse_unstorable(text: str, at: str) -> None:
    """No database text holds these."""
    if _NUL in text:
        raise Invalid({at: "It contains a NUL character (\\u0000): take it out."})
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise Invalid({at: "It contains half of a surrogate pair (\\ud800 to \\udfff): take it out."})


def _labels(value: Any, at: str) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise Invalid({at: "Labels are an object of texts, such as {'region': 'eu'}."})
    if len(value) > MOST_LABELS:
        raise Invalid({at: f"At most {MOST_LABELS} labels; these are {len(value)}."})
    for key, text in value.items():
        _check_label(key, text, at)
    return dict(value)


def _check_label(key: str, text: Any, at: str) -> None:
    if len(key) > _NAME_LENGTH:
        raise Invalid({at: f"{_shown(key)} is too long for the name of a label: at most {_NAME_LENGTH} characters."})
    _refuse_unstorable(key, at)
    if not isinstance(text, str):
        raise Invalid({f"{at}.{key}": f"{_shown(text)} is not text: write it in quotes."})
    if len(text) > _LABEL_LENGTH:
        raise Invalid({f"{at}.{key}": f"At most {_LABEL_LENGTH} characters; these are {len(text)}."})
    _refuse_unstorable(text, f"{at}.{key}")


def _flag(item: Mapping[str, Any], name: str, at: str) -> bool:
    value = item.get(name)
    if value not in (None, True, False) or isinstance(value, int) and not isinstance(value, bool):
        raise Invalid({f"{at}{name}": f"{_shown(value)} is neither true nor false."})
    return bool(value)


def _shown(value: Any) -> str:
    """What was sent, but not a megabyte of it."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}..."
