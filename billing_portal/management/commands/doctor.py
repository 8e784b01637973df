"""``manage.py doctor``: examine this deployment, and say what to mend."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from billing_portal.doctor.examine import examine
from billing_portal.doctor.findings import Finding, Grade


class Command(BaseCommand):
    help = (
        "Examine this deployment from this host: settings, servers, programs, Stripe, e-mail, static files, overdue "
        "work, disks. Changes nothing. Says what to mend; ends with status 1 where something must be mended."
    )
    # Django would stop at the first mistake in the settings: here it is one finding among others.
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="One JSON document instead of lines.")
        parser.add_argument("--quiet", action="store_true", help="Only what is to be mended.")

    def handle(self, *args: Any, **options: Any) -> None:
        found: list[tuple[str, Finding]] = []
        for part, finding in examine(timezone.now()):
            found.append((part, finding))
            if not options["json"] and not (options["quiet"] and finding.grade == Grade.OK):
                self._say(part, finding)
        grades = Counter(finding.grade for _, finding in found)
        if options["json"]:
            self.stdout.write(json.dumps([_row(part, finding) for part, finding in found], indent=1))
        else:
            self.stdout.write(f"{grades[Grade.PROBLEM]} problems, {grades[Grade.WARNING]} warnings.")
        if grades[Grade.PROBLEM]:
            raise SystemExit(1)

    def _say(self, part: str, finding: Finding) -> None:
        self.stdout.write(f"{finding.grade.value:<8} {part}: {finding.text}")
        if finding.remedy:
            self.stdout.write(f"{'':<8} -> {finding.remedy}")


def _row(part: str, finding: Finding) -> dict[str, str]:
    return {"part": part, "grade": finding.grade.value.lower(), "text": finding.text, "remedy": finding.remedy}
