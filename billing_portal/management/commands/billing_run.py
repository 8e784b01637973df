"""``manage.py billing_run``: how far a vendor's billing run is, with a bar for each stage, and its brake."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from customers.actors import on_the_command_line
from customers.billing_pause import pause_billing, resume_billing
from customers.errors import Refused
from customers.vendor import Vendor
from invoicing.invoices.billing_run import Stage, billing_run, is_moving

WIDTH = 30
LOOK_SECONDS = 2.0


class Command(BaseCommand):
    help = (
        "Tell how far a vendor's billing run is: what was done within a day, what is due now, what fails, how fast it "
        "goes. Pause it, or resume it."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("vendor", help="the vendor's code name")
        parser.add_argument(
            "--watch", action="store_true", help="Look again every two seconds while work is left and not paused."
        )
        brake = parser.add_mutually_exclusive_group()
        brake.add_argument("--pause", metavar="REASON", help="Begin nothing by itself until it is resumed.")
        brake.add_argument("--resume", action="store_true", help="Go on; what fell due meanwhile is done now.")

    def handle(self, *args: Any, **options: Any) -> None:
        vendor = Vendor.objects.filter(name=options["vendor"]).first()
        if vendor is None:
            raise CommandError(f"There is no vendor {options['vendor']}.")
        try:
            vendor = self._brake(vendor, options)
        except Refused as refusal:
            raise CommandError(refusal.message) from refusal
        while self._tell(vendor) and options["watch"]:
            time.sleep(LOOK_SECONDS)
            vendor.refresh_from_db()

    def _brake(self, vendor: Vendor, options: dict[str, Any]) -> Vendor:
        if options["pause"] is not None:
            return pause_billing(vendor, actor=on_the_command_line(), reason=options["pause"], real_now=timezone.now())
        if options["resume"]:
            return resume_billing(vendor, actor=on_the_command_line(), real_now=timezone.now())
        return vendor

    def _tell(self, vendor: Vendor) -> bool:
        """Whether something is left that moves."""
        if vendor.billing_paused_at:
            self.stdout.write(f"Paused by {vendor.billing_paused_by}: {vendor.billing_pause_reason}")
        stages = billing_run(vendor, real_now=timezone.now())
        for stage in stages:
            self.stdout.write(line(stage))
        return is_moving(stages) and not vendor.billing_paused_at


def line(stage: Stage) -> str:
    full = WIDTH * stage.percent // 100
    bar = "#" * full + "." * (WIDTH - full)
    words = [f"{stage.left:,} left", f"{stage.done:,} {stage.done_as} in 24 hours"]
    words += [f"{stage.failing:,} failing"] if stage.failing else []
    words += [f"{stage.per_minute:,.0f} a minute"] if stage.per_minute else []
    words += [f"{stage.minutes_left:,.0f} minutes to go"] if stage.minutes_left is not None else []
    return f"{stage.name:20}[{bar}] {stage.percent:3} %  {', '.join(words)}"
