"""``manage.py turn_off_codes EMAIL``: for an operator who lost both the authenticator app and the recovery codes."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from billing_portal.accounts.models import Operator
from billing_portal.accounts.operators import end_sessions
from billing_portal.accounts.second_factor import is_on, turn_off
from customers.actors import on_the_command_line


class Command(BaseCommand):
    help = "Turns an operator's sign-in codes off and ends their sessions. Be sure who asks."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email", help="the operator's e-mail address")

    def handle(self, *args: Any, **options: Any) -> None:
        operator = Operator.objects.filter(email__iexact=options["email"]).first()
        if operator is None:
            raise CommandError(f"There is no operator {options['email']}.")
        if not is_on(operator):
            raise CommandError(f"{operator} uses no sign-in codes.")
        real_now = timezone.now()
        turn_off(operator, actor=on_the_command_line(), real_now=real_now)
        end_sessions(operator, real_now=real_now)
        self.stdout.write(f"{operator} signs in with the password alone now.")
