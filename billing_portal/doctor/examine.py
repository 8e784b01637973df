"""Every examination, in the order in which things have to be mended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from billing_portal.doctor import configuration, servers, stripe, work
from billing_portal.doctor.findings import Examination, Finding, problem, short

DATABASE_URL = "See that DATABASE_URL is right and its server reachable from this host."
TABLES = "Mend the database and run `manage.py migrate` first."

EXAMINATIONS: Sequence[Examination] = (
    Examination("Settings", configuration.review_settings, "Mend what the message names."),
    Examination("Database", servers.database, DATABASE_URL),
    Examination("Migrations", servers.migrations, DATABASE_URL),
    Examination("Clocks", servers.clocks, DATABASE_URL),
    Examination("Broker", servers.broker, "See that REDIS_URL is right and its server reachable from this host."),
    Examination("Programs", servers.programs, "Mend the broker first."),
    Examination("Secrets", configuration.open_secrets, TABLES),
    Examination("Stripe keys", stripe.keys, TABLES),
    Examination("Stripe webhooks", stripe.webhooks, TABLES),
    Examination("Web", stripe.way_in, "See that PUBLIC_URL is right."),
    Examination("E-mail", servers.mail_server, "See that EMAIL_URL is right."),
    Examination("Static files", work.static_files, "Run `manage.py collectstatic --no-input`."),
    Examination("Overdue work", work.overdue, TABLES),
    Examination("Failed webhooks", work.failed_webhooks, TABLES),
    Examination("Months", work.months, TABLES),
    Examination("Disk", work.disk_space, "See that STATIC_ROOT can be read."),
)


def examine(real_now: datetime) -> Iterator[tuple[str, Finding]]:
    """One part after the other; one that cannot be looked at does not keep the others from being."""
    for examination in EXAMINATIONS:
        try:
            found = list(examination.look(real_now))
        except Exception as error:
            found = [problem(f"Cannot be examined: {short(error)}", examination.remedy)]
        for finding in found:
            yield examination.part, finding
