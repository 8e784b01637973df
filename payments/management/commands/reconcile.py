"""Compare our invoices, payments, refunds and customers with Stripe's."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from customers.vendor import Vendor
from payments.reconcile import report, run
from payments.reconcile.models import Difference, ReconciliationRun


class Command(BaseCommand):
    help = (
        "Compares our invoices, payments, refunds and customers with Stripe's, account by account. A comparison "
        "that was interrupted is continued. Without --repair nothing is changed but the list of differences."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--vendor", help="code name of the vendor; without it, every connected account")
        parser.add_argument("--since", type=_day, help="YYYY-MM-DD; without it, 35 days ago")
        parser.add_argument("--repair", action="store_true", help="apply Stripe's present state where they disagree")
        parser.add_argument("--dry-run", action="store_true", help="with --repair: only say what would be repaired")

    def handle(self, *args: Any, **options: Any) -> None:
        connections = list(run.connections(_vendor(options["vendor"])))
        if not connections:
            raise CommandError("No Stripe account is connected.")
        repairs = options["repair"] and not options["dry_run"]
        behind = [c for c in connections if not self._compare(c, options["since"], repairs)]
        if behind:
            raise CommandError(f"Not finished: {', '.join(map(str, behind))}. The same command continues.")

    def _compare(self, connection: Any, since: datetime | None, repairs: bool) -> bool:
        now = timezone.now()
        begun = run.start(connection, by="reconcile", real_now=now, since=since, repairs=repairs)
        if begun.started_at != now:
            self.stderr.write(f"{connection}: continuing the comparison of {begun.started_at:%d %b %Y %H:%M} UTC")
            if begun.repairs != repairs:
                ReconciliationRun.objects.filter(pk=begun.pk).update(repairs=repairs)
        done = run.drive(begun.pk, clock=timezone.now, watch=self._progress)
        if done is None:
            self.stderr.write(f"{connection}: another process is comparing, or it waits after a failure.")
            return False
        found = Difference.objects.filter(run=done).select_related("connection").order_by("pk")
        for line in report.in_words(done, list(found[:1000])):
            self.stdout.write(line)
        if done.last_error:
            self.stderr.write(f"{connection}: {done.last_error}")
        return done.state == ReconciliationRun.State.FINISHED

    def _progress(self, present: ReconciliationRun) -> None:
        present.refresh_from_db()
        self.stderr.write(f"{present.connection}: {report.progress(present)}")


def _vendor(name: str | None) -> int | None:
    if not name:
        return None
    vendor = Vendor.objects.filter(name=name).first()
    if vendor is None:
        raise CommandError(f"--vendor: there is no vendor {name!r}.")
    return vendor.pk


def _day(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
