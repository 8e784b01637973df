"""``manage.py sandbox``: a Stripe that runs here."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from payments.sandbox.serving import serve


class Command(BaseCommand):
    help = "Serve the Stripe sandbox, deliver its webhooks and do what falls due on its clocks."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, required=True)
        parser.add_argument("--host", default="127.0.0.1")

    def handle(self, *args: Any, **options: Any) -> None:
        serve(options["host"], options["port"])
