"""How moments and spans of time are put into words on a screen."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils import timezone

MINUTE, HOUR, DAY = 60, 3600, 86400


def moment(at: datetime) -> str:
    """In the active zone, which is named: 3 Mar 2026, 12:00 UTC."""
    local = timezone.localtime(at)
    return f"{local.day} {local:%b %Y, %H:%M} {zone_name(local)}"


def day(at: datetime) -> str:
    local = timezone.localtime(at)
    return f"{local.day} {local:%b %Y}"


def day_of_month(at: datetime) -> str:
    """Without the year, beside a chart: 3 Mar."""
    local = timezone.localtime(at)
    return f"{local.day} {local:%b}"


def last_day(end: datetime) -> str:
    """The last day of a period whose end is exclusive."""
    return day(end - timedelta(microseconds=1))


def zone_name(local: datetime) -> str:
    """CET, UTC; zones without letters of their own are named by their offset: UTC-03:00."""
    name = local.tzname() or ""
    if name.isalpha():
        return name
    offset = local.strftime("%z")
    return f"UTC{offset[:3]}:{offset[3:5]}"


def relative(at: datetime, now: datetime) -> str:
    """in 3 hours, 12 days ago, now."""
    seconds = (at - now).total_seconds()
    span = _span(abs(seconds))
    if not span:
        return "now"
    return f"in {span}" if seconds > 0 else f"{span} ago"


def brief(at: datetime, now: datetime) -> str:
    """As ``relative``, to the second where that is little: 12 seconds ago."""
    seconds = int((now - at).total_seconds())
    if 0 < seconds < MINUTE:
        return f"{length(seconds, 'second')} ago"
    return "just now" if abs(seconds) < MINUTE else relative(at, now)


def _span(seconds: float) -> str:
    for size, name in ((DAY, "day"), (HOUR, "hour"), (MINUTE, "minute")):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {name}" if count == 1 else f"{count} {name}s"
    return ""


def due(at: datetime | None, now: datetime) -> str:
    """due in 5 days, due today, 12 days overdue."""
    if at is None:
        return ""
    days = (timezone.localtime(at).date() - timezone.localtime(now).date()).days
    if at <= now:
        return "due today" if days == 0 else f"{_days(-days)} overdue"
    return "due today" if days == 0 else f"due in {_days(days)}"


def _days(count: int) -> str:
    return f"{count} day" if count == 1 else f"{count} days"


def length(count: int, unit: str) -> str:
    """3 days, 1 hour. ``unit`` is the singular."""
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"
