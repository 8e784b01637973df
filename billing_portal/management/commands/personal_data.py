"""``manage.py personal_data``: what is kept of a customer, handed out or erased."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.core.serializers.json import DjangoJSONEncoder
from django.utils import timezone

from billing_portal.personal_data import export_of
from customers.actors import on_the_command_line
from customers.customer import Customer
from customers.erasing import erase_customer
from customers.errors import Refused


class Command(BaseCommand):
    help = "Prints everything that is kept of a customer as JSON, or erases who it is. Amounts and documents stay."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("what", choices=["export", "erase"])
        parser.add_argument("vendor", help="the vendor's code name")
        parser.add_argument("customer", help="the customer's code name")

    def handle(self, *args: Any, **options: Any) -> None:
        rows = Customer.objects.select_related("vendor").filter(vendor__name=options["vendor"])
        customer = rows.filter(name=options["customer"]).first()
        if customer is None:
            raise CommandError(f"{options['vendor']} has no customer {options['customer']}.")
        if options["what"] == "export":
            self.stdout.write(json.dumps(export_of(customer), cls=DjangoJSONEncoder, indent=2, ensure_ascii=False))
            return
        real_now = timezone.now()
        try:
            left = erase_customer(
                customer, actor=on_the_command_line(), now=customer.vendor.now(real_now), real_now=real_now
            )
        except Refused as refusal:
            raise CommandError(refusal.message) from refusal
        self.stdout.write("\n".join([f"Erased. It is called erased-{customer.pk} from now on.", *left]))
