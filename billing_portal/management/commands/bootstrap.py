"""``manage.py bootstrap``: migrations and static files, then the first data of an installation on one machine.
``up`` runs it at each start."""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from pathlib import Path
from typing import Any

import environ
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.utils import timezone

from billing_portal.bootstrap import Request, bootstrap
from billing_portal.machine.files import write_private


class Command(BaseCommand):
    help = (
        "Migrate the database, then make the first vendor, its owner, an API key and its Stripe sandbox account. "
        "The password and the key come from BOOTSTRAP_OPERATOR_PASSWORD and BOOTSTRAP_API_KEY, so that no command "
        "line shows them."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--webhook-url", required=True, help="Where the sandbox sends its webhooks.")
        parser.add_argument("--demo", action="store_true", help="The vendor is to be the demonstration's.")
        parser.add_argument("--output", type=Path, required=True, help="A file for the result, as JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("migrate", interactive=False, verbosity=0)
        if settings.STATIC_ROOT:
            call_command("collectstatic", interactive=False, verbosity=0)
        env = environ.Env()
        request = Request(
            operator_password=env.str("BOOTSTRAP_OPERATOR_PASSWORD"),
            api_key=env.str("BOOTSTRAP_API_KEY"),
            webhook_url=options["webhook_url"],
            demo=options["demo"],
        )
        result = bootstrap(request, real_now=timezone.now())
        write_private(options["output"], json.dumps(asdict(result)) + "\n")
