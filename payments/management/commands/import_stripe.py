"""Bring in the customers and open invoices that a Stripe account held before."""

from __future__ import annotations

from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterable
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from customers.actors import SCHEDULE
from customers.vendor import Vendor
from invoicing.gateways import GatewayError
from payments.reconcile import importing
from payments.reconcile.importing import Fate, Import, MapBy
from payments.stripe.connect import connection_of


class Command(BaseCommand):
    help = (
        "Brings in the customers and the open invoices of a vendor's Stripe account. Customers are linked with ours or "
        "created; open invoices become copies that are only looked at. Run again, it goes on where it was interrupted."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--vendor", help="code name of the vendor; may be left out where there is only one")
        parser.add_argument("--dry-run", action="store_true", help="print what would become of each row, write nothing")
        parser.add_argument(
            "--map-by",
            choices=[kind.value for kind in MapBy],
            default=MapBy.METADATA.value,
            help="how a Stripe customer is recognized as one of ours; default: metadata (portal_customer_name)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        vendor = _vendor(options["vendor"])
        connection = connection_of(vendor)
        if connection is None:
            raise CommandError(f"{vendor.name} has no Stripe account that acts for it.")
        job = Import(connection, MapBy(options["map_by"]), SCHEDULE, timezone.now, options["dry_run"])
        try:
            self._tell("Customers", importing.customers(job))
            self._tell("Open invoices", importing.open_invoices(job))
        except GatewayError as error:
            raise CommandError(f"{error.message} Run the same command again to go on.") from error
        if options["dry_run"]:
            self.stdout.write("Nothing was written.")

    def _tell(self, what: str, fates: Iterable[Fate]) -> None:
        counts: Counter[str] = Counter()
        for fate in fates:
            counts[fate.outcome] += 1
            self.stdout.write(f"{fate.outcome.value:13} {fate.external_id}  {fate.words}")
        said = ", ".join(f"{number} {outcome}" for outcome, number in sorted(counts.items()))
        self.stdout.write(f"{what}: {said or 'none'}.")


def _vendor(name: str | None) -> Vendor:
    rows = Vendor.objects.filter(name=name) if name else Vendor.objects.all()
    found = list(rows[:2])
    if len(found) != 1:
        raise CommandError(f"--vendor: there is no vendor {name!r}." if name else "--vendor: name one of the vendors.")
    return found[0]
