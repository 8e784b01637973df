"""``manage.py stripe_webhook_endpoint``: register where Stripe delivers, or bring it up to date."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from customers.actors import SCHEDULE
from invoicing.gateways import GatewayError
from payments.stripe import endpoints
from payments.stripe.models import StripeConnection


class Command(BaseCommand):
    help = (
        "Register this installation's webhook endpoint at Stripe, with the events it handles and the API version it "
        "is written for. The signing secret is kept here, encrypted; those in STRIPE_WEBHOOK_SECRETS stay valid."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--live", action="store_true", help="In live mode; without it in test mode.")
        parser.add_argument("--account", default="", help="For this account, connected with keys of its own.")
        parser.add_argument("--url", default="", help="Where to deliver; by default PUBLIC_URL's /webhooks/stripe/.")
        parser.add_argument(
            "--rotate", action="store_true", help="Replace it, with a new secret. The old one is good for 24 hours."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        connection = self._connection(options["account"], options["live"]) if options["account"] else None
        try:
            made = endpoints.register(
                connection,
                livemode=options["live"],
                actor=SCHEDULE,
                real_now=timezone.now(),
                url=options["url"],
                rotate=options["rotate"],
            )
        except GatewayError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"{made.endpoint_id} delivers to {made.url}")

    def _connection(self, account: str, livemode: bool) -> StripeConnection:
        rows = StripeConnection.objects.filter(account_id=account, livemode=livemode, disconnected_at__isnull=True)
        found = rows.exclude(secret_key="").first()
        if found is None:
            raise CommandError(f"{account} is not connected with keys of its own in this mode.")
        return found
