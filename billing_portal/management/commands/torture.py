"""``manage.py torture``: an installation under random faults, and its books audited afterwards. Development only."""

import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from billing_portal.torture.portal import Unanswered
from billing_portal.torture.report import report
from billing_portal.torture.run import Options, torture


class Command(BaseCommand):
    help = (
        "Start an installation of its own with the Stripe sandbox, let a company work with it while processes are "
        "killed, connections cut, answers lost and disks filled, let it come to rest, and audit its books."
    )
    # Its installation has the database; this process needs none.
    requires_system_checks = []
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--minutes", type=float, default=30, help="How long faults are injected (default 30).")
        parser.add_argument("--customers", type=int, default=1000, help="Each has an invoice a month (default 1000).")
        parser.add_argument("--seed", type=int, default=1, help="The same seed plans the same faults (default 1).")
        parser.add_argument("--folder", type=Path, help="Keep everything there (default: a folder that is removed).")
        parser.add_argument("--report", type=Path, help="Write the table into this file as well.")

    def handle(self, *args: Any, **options: Any) -> None:
        started = time.monotonic()

        def say(words: str) -> None:
            self.stdout.write(f"{(time.monotonic() - started) / 60:6.1f} min  {words}")

        chosen = Options(options["seed"], options["minutes"], options["customers"], options["folder"])
        try:
            result = torture(chosen, say)
        except (Unanswered, RuntimeError) as error:
            raise CommandError(str(error)) from error
        table = report(result)
        self.stdout.write(table)
        if options["report"]:
            options["report"].write_text(table)
        if not result.holds:
            raise CommandError("Not every rule held.")
