"""``manage.py reencrypt_secrets``: the step between adding a key to FIELD_ENCRYPTION_KEYS and dropping the old one."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from billing_portal.reencryption import columns, reencrypt


class Command(BaseCommand):
    help = (
        "Writes every stored secret anew under the first of FIELD_ENCRYPTION_KEYS. Run it once every process has the "
        "new key in front; when it reports no old ones, the old key can go. It can be stopped and run again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="only count; fails while an old key is needed")

    def handle(self, *args: Any, **options: Any) -> None:
        check, found = options["check"], list(columns())
        for column in found:
            reencrypt(column, write=not check)
            done = "under an old key" if check else "rewritten"
            self.stdout.write(f"{column}: {column.rewritten} {done}, {column.fresh} under the newest")
        lost = [f"{column} ({column.unreadable})" for column in found if column.unreadable]
        if lost:
            raise CommandError(f"None of the keys opens what is stored in {', '.join(lost)}. It was left as it is.")
        if check and any(column.rewritten for column in found):
            raise CommandError("An old key is still needed. Run this command without --check.")
