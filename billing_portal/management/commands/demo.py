"""``manage.py demo``: half a year of a believable vendor's life. ``up --demo`` runs it once everything serves."""

from argparse import ArgumentParser
from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError

from billing_portal.demo.run import demonstrate
from billing_portal.demo.travel import Stuck
from customers.vendor import Vendor


class Command(BaseCommand):
    help = (
        "Fill an empty vendor with customers, and live through six months of invoices. Needs the Stripe sandbox, "
        "the web server and a worker to be running. A vendor that has data of its own is left alone."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--vendor", help="Code name of the vendor (default: the oldest).")

    def handle(self, *args: Any, **options: Any) -> None:
        if not apps.is_installed("payments.sandbox"):
            raise CommandError("The demonstration lives in the Stripe sandbox: start without Stripe keys of your own.")
        vendor = self._vendor(options["vendor"])
        try:
            filled = demonstrate(vendor, say=self.stdout.write)
        except Stuck as error:
            raise CommandError(str(error)) from error
        if not filled:
            self.stdout.write(f"{vendor.display_name} has data already; nothing was added.")

    def _vendor(self, name: str | None) -> Vendor:
        vendors = Vendor.objects.filter(is_test=True).order_by("id")
        vendor = vendors.filter(name=name).first() if name else vendors.first()
        if vendor is None:
            raise CommandError(f"There is no vendor {name!r} in test mode." if name else "There is no vendor yet.")
        return vendor
