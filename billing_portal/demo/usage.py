"""What the demonstration's customers use, day by day: believable, and the same each time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Any

from billing_portal.demo.cast import Person
from billing_portal.demo.company import REQUESTS, STORAGE

REGIONS = ("us-east", "us-west", "eu-central")
SATURDAY = 5
NOISE = 0.12


def measurements(person: Person, since: datetime, start: datetime, end: datetime) -> Iterator[dict[str, Any]]:
    """One a day and meter for the days from ``start`` to ``end``, both midnights or the present moment.

    ``since`` is when the customer began.
    """
    day = start
    while day < end:
        for meter, usual in person.use.by_meter.items():
            measured = _of_day(person, meter, usual, day, since)
            if since <= measured["time"] < end:
                yield measured
        day += timedelta(days=1)


def _of_day(person: Person, meter: str, usual: int, day: datetime, since: datetime) -> dict[str, Any]:
    age = (day.date() - since.astimezone(day.tzinfo).date()).days
    # The generator draws the same for this customer, meter and day whenever it is asked.
    chance = Random(f"{person.name} {meter} {age}")  # noqa: S311 - nothing secret
    value = usual * (1 + person.use.growth) ** (age / 30) * (1 + chance.uniform(-NOISE, NOISE))
    if meter != STORAGE and day.weekday() >= SATURDAY:
        value *= person.use.weekend
    labels = {"account_id": person.account_id}
    if meter == REQUESTS:
        labels["region"] = chance.choice(REGIONS)
    time = day.replace(hour=12, minute=chance.randrange(60))
    return {"meter_name": meter, "value": round(value), "time": time, "labels": labels}
