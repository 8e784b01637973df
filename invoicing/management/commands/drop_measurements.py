"""Free the room that measurements take which are invoiced for good."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from datetime import date, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from customers.errors import Refused
from invoicing.invoices.old_measurements import check_invoiced
from invoicing.usage.dropping import KeptMonth, drop, kept_before


class Command(BaseCommand):
    help = (
        "Drops the measurements of every month before the named one. What each day came to is kept, and so are "
        "invoices with their explanations. Refused while a billing cycle that touches those months is not invoiced, "
        "or its invoice may still be generated again. Months are those of UTC."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--before", type=_month, required=True, metavar="YYYY-MM", help="the first month to keep")
        parser.add_argument("--dry-run", action="store_true", help="print what would go and how much room it frees")

    def handle(self, *args: Any, **options: Any) -> None:
        before = options["before"]
        if before > timezone.now().date().replace(day=1):
            raise CommandError("--before: this month and later ones cannot be dropped: name this month or an earlier.")
        months = kept_before(before)
        try:
            check_invoiced(before)
            for place, one in enumerate(months, start=1):
                if not options["dry_run"]:
                    drop(one, real_now=timezone.now())
                self.stdout.write(f"{place}/{len(months)}  {_said(one)}")
        except Refused as refusal:
            raise CommandError(refusal.message) from refusal
        self.stdout.write(_sum(months, dry=options["dry_run"]))


def _month(text: str) -> date:
    try:
        return datetime.strptime(text, "%Y-%m").date()  # noqa: DTZ007 - a month, no moment
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not a month: write it like 2026-03.") from None


def _said(one: KeptMonth) -> str:
    return f"{one.month:%Y-%m}: {one.measurements:,} measurements, {_megabytes(one.bytes)}"


def _sum(months: list[KeptMonth], *, dry: bool) -> str:
    freed = _megabytes(sum(one.bytes for one in months))
    if not months:
        return "There are no measurements of before that month."
    return f"Would free {freed}. Nothing was dropped." if dry else f"Freed {freed}. What each day came to is kept."


def _megabytes(size: int) -> str:
    return f"{size / 1_000_000:,.1f} MB"
