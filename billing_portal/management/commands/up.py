"""``manage.py up``: everything on one machine, until Ctrl-C."""

import logging
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import get_commands
from django.core.management.base import BaseCommand, CommandError

from billing_portal.machine.installation import Installation, Options
from billing_portal.machine.log import Log
from billing_portal.machine.supervisor import Failed


class Command(BaseCommand):
    help = "Run everything on this machine: database, broker, web, worker, beat and the Stripe sandbox."
    # This process starts the database: it cannot ask it anything first.
    requires_system_checks = []
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--demo", action="store_true", help="Fill the vendor with demonstration data.")
        parser.add_argument("--port", type=int, default=8000, help="Where the portal answers (default 8000).")
        parser.add_argument(
            "--data", type=Path, default=settings.BASE_DIR / "data", help="Keeps everything (default ./data)."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        chosen = Options(
            directory=options["data"],
            port=options["port"],
            demo=options["demo"],
            has_sandbox="sandbox" in get_commands(),
        )
        try:
            Installation(chosen, Log()).run()
        except (Failed, OSError, RuntimeError) as error:
            logging.getLogger(__name__).debug("up failed", exc_info=True)
            raise CommandError(str(error)) from error
