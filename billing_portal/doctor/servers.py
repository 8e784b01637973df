"""The database, the broker, the mail server and the clocks."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator
from datetime import datetime, timedelta

import redis
from django.conf import settings
from django.core.mail import get_connection
from django.core.mail.backends.smtp import EmailBackend
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from billing_portal import heartbeats
from billing_portal.doctor.findings import Finding, fine, problem, short, warning
from billing_portal.metrics import CELERY_QUEUE

OLDEST_POSTGRES = 150_000
PATIENCE = 5
SKEW_NOTED, SKEW_BROKEN = timedelta(seconds=2), timedelta(seconds=60)
SILENT = timedelta(seconds=60)
# Of the server's connections, how many may be taken before one more worker is one too many.
MOSTLY_TAKEN = 0.8


def database(real_now: datetime) -> Iterator[Finding]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('server_version_num')::int, current_setting('server_version'),"
            " (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),"
            " current_setting('max_connections')::int, pg_is_in_recovery()"
        )
        number, version, used, most, is_standby = cursor.fetchone()
    if number < OLDEST_POSTGRES:
        yield problem(f"PostgreSQL {version} is too old.", "Use PostgreSQL 15 or later.")
    elif is_standby:
        yield problem("DATABASE_URL names a standby, which takes no writes.", "Name the primary in DATABASE_URL.")
    else:
        yield fine(f"PostgreSQL {version}.")
    if used > most * MOSTLY_TAKEN:
        yield warning(
            f"{used} of {most} connections are taken.", "Raise max_connections, or put PgBouncer in front (session)."
        )


def migrations(real_now: datetime) -> Iterator[Finding]:
    executor = MigrationExecutor(connection)
    pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if pending:
        names = ", ".join(f"{migration.app_label} {migration.name}" for migration, _ in pending[:5])
        yield problem(f"{len(pending)} migrations are not applied: {names}.", "Run `manage.py migrate`.")
    else:
        yield fine("The tables are those of this version.")


def clocks(real_now: datetime) -> Iterator[Finding]:
    """Leases and due moments are compared with the database's clock here and there, and with the host's elsewhere."""
    before = timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        [there] = cursor.fetchone()
    skew = there - (before + (timezone.now() - before) / 2)
    seconds = abs(skew.total_seconds())
    if abs(skew) < SKEW_NOTED:
        yield fine(f"This host and the database differ by {seconds:.3f} s.")
        return
    rate = problem if abs(skew) > SKEW_BROKEN else warning
    direction = "ahead of" if skew > timedelta() else "behind"
    yield rate(f"The database is {seconds:.0f} s {direction} this host.", "Run chrony or systemd-timesyncd on both.")


def broker(real_now: datetime) -> Iterator[Finding]:
    with redis.Redis.from_url(
        settings.CELERY_BROKER_URL, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE
    ) as client:
        known = client.info()
        waiting = client.llen(CELERY_QUEUE)
    policy = known.get("maxmemory_policy", "noeviction")
    version = known.get("valkey_version") or known["redis_version"]
    if known.get("maxmemory") and policy != "noeviction":
        text = f"Redis throws things away when it is full (maxmemory-policy {policy}): tasks wait for another tick."
        yield warning(text, "Set maxmemory-policy to noeviction.")
    yield fine(f"Redis or Valkey {version}; {waiting} tasks in its queue.")


NAMES = {heartbeats.BEAT: "Beat", heartbeats.WORKER: "Workers"}
STARTS = {
    heartbeats.BEAT: "Start `celery --app billing_portal beat`, once.",
    heartbeats.WORKER: "Start `celery --app billing_portal worker`, on as many machines as you like.",
}


def programs(real_now: datetime) -> Iterator[Finding]:
    seen = heartbeats.last_seen()
    if seen is None:
        yield problem("Nobody can say whether beat and workers live.", "Mend the broker first.")
    for program, at in (seen or {}).items():
        if at is None:
            yield problem(f"{NAMES[program]}: never seen.", STARTS[program])
        elif real_now - at > SILENT:
            text = f"{NAMES[program]}: silent since {at:%Y-%m-%d %H:%M:%S} UTC."
            yield problem(text, f"{STARTS[program]} Its log says why it ended.")
        else:
            yield fine(f"{NAMES[program]}: alive {max(0.0, (real_now - at).total_seconds()):.0f} s ago.")


def mail_server(real_now: datetime) -> Iterator[Finding]:
    """Connects, greets and signs in; sends nothing."""
    backend = get_connection(fail_silently=False)
    if not isinstance(backend, EmailBackend):
        kind = type(backend).__module__.rpartition(".")[2]
        yield warning(
            f"E-mails leave through no server ({kind}).", "Set EMAIL_URL to smtp+tls://user:password@host:587."
        )
        return
    backend.timeout = PATIENCE
    try:
        backend.open()
    except (OSError, smtplib.SMTPException) as error:
        yield problem(
            f"{backend.host}:{backend.port} does not take us: {short(error)}", "Mend EMAIL_URL or the server."
        )
        return
    backend.close()
    yield fine(f"{backend.host}:{backend.port} lets us in.")
