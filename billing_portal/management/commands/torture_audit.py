"""``manage.py torture_audit``: the books of a tortured installation, as JSON. Run by ``torture``."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError

from billing_portal.torture import audit


class Command(BaseCommand):
    help = "Audit the books against the Stripe sandbox's tables. Prints JSON: violations by rule, counts."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--expected", type=Path, required=True, help="JSON: what the vendor's program sent and heard."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not apps.is_installed("payments.sandbox"):
            raise CommandError("There is no sandbox to compare with.")
        expected = json.loads(options["expected"].read_text())
        found = {
            "violations": audit.audit(expected["sent"], expected["heard"]),
            "counts": audit.counts(),
            "left_to_people": audit.left_to_people(),
        }
        self.stdout.write(json.dumps(found))
