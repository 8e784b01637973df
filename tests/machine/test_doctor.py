"""``manage.py doctor``: a sound deployment passes, and each thing that breaks one is named with its remedy."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as known
from django.core.cache import cache
from django.core.management import call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from billing_portal import heartbeats
from billing_portal.doctor import configuration, servers, stripe, work
from billing_portal.doctor.findings import Finding, Grade
from billing_portal.machine.ports import free_port
from customers.actors import SCHEDULE
from invoicing.usage import partitions
from payments.models import StripeConnection
from payments.stripe import endpoints
from payments.stripe.models import StripeEvent
from tests.factories import InvoiceFactory, VendorFactory
from tests.sandbox_server import StripeSandbox


def diagnosis(*arguments: str) -> tuple[int, str]:
    output = StringIO()
    try:
        call_command("doctor", *arguments, stdout=output)
    except SystemExit as end:
        return int(str(end.code)), output.getvalue()
    return 0, output.getvalue()


@pytest.mark.django_db(transaction=True)
def test_a_deployment_from_sound_to_broken(
    stripe_sandbox: StripeSandbox, live_server: LiveServer, settings: Settings
) -> None:
    settings.SILENCED_SYSTEM_CHECKS = ["async.E001"]  # tests in a browser, in the same process, need what it is about
    vendor, real_now = VendorFactory.create(), timezone.now()
    settings.PUBLIC_URL = live_server.url
    settings.STRIPE_API_BASE, settings.STRIPE_TEST_SECRET_KEY = stripe_sandbox.api_base, stripe_sandbox.secret_key
    settings.FIELD_ENCRYPTION_KEYS = ["Zm9yIHRlc3RzIG9ubHkgLSAzMiBieXRlcyBsb25nISE="]
    StripeConnection.objects.create(vendor=vendor, account_id=stripe_sandbox.account, connected_at=real_now)
    endpoints.register(None, livemode=False, actor=SCHEDULE, real_now=real_now)
    partitions.make_ahead(real_now)
    for program in (heartbeats.BEAT, heartbeats.WORKER):
        heartbeats.note(program, real_now)
    status, said = diagnosis()
    assert (status, "0 problems") == (0, said.splitlines()[-1].partition(",")[0]), said
    for part in ("PostgreSQL 1", "Stripe delivers the platform's test webhooks", "STRIPE_TEST_SECRET_KEY is accepted"):
        assert part in said
    assert stripe_sandbox.secret_key not in said

    settings.FIELD_ENCRYPTION_KEYS = ["YW5vdGhlciBrZXksIGFsc28gMzIgYnl0ZXMgbG9uZyE="]
    settings.STRIPE_TEST_SECRET_KEY = "sk_test_rolled"
    cache.delete("heartbeat:beat")
    status, text = diagnosis("--json")
    problems = {row["part"]: row for row in json.loads(text) if row["grade"] == "problem"}
    assert status == 1
    assert {"Secrets", "Stripe keys", "Programs"} <= problems.keys()
    assert "FIELD_ENCRYPTION_KEYS" in problems["Secrets"]["remedy"]
    assert "celery --app billing_portal beat" in problems["Programs"]["remedy"]
    assert "sk_test_rolled" not in text


Break = Callable[[Settings], Any]


def _mail(settings: Settings) -> None:
    settings.EMAIL_BACKEND, settings.EMAIL_HOST = "django.core.mail.backends.smtp.EmailBackend", "127.0.0.1"
    settings.EMAIL_PORT = free_port()


def _static(settings: Settings) -> None:
    settings.STORAGES = {
        **known.STORAGES,
        "staticfiles": {"BACKEND": "billing_portal.static_files.HashedFiles"},
    }
    settings.STATIC_ROOT = "/nonexistent/static"


def _late(settings: Settings) -> None:
    InvoiceFactory.create(next_action_at=timezone.now() - timedelta(hours=2))


def _silent(settings: Settings) -> None:
    heartbeats.note(heartbeats.WORKER, timezone.now() - timedelta(hours=2))


def _months(settings: Settings) -> None:
    """The month after the next has no table."""
    month = partitions.month_of(timezone.now())
    for _ in range(2):
        month = partitions.following(month)
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {partitions.table_of(month)}")


def _failed(settings: Settings) -> None:
    StripeEvent.objects.create(
        event_id="evt_1", livemode=False, type="invoice.paid", body={}, received_at=timezone.now(), state="failed"
    )


def _unapplied(settings: Settings) -> None:
    MigrationRecorder(connection).record_unapplied("invoicing", "0002_measurements_by_month")


def _no_secret(settings: Settings) -> None:
    settings.STRIPE_WEBHOOK_SECRETS = []
    _connected(settings)


def _connected(settings: Settings) -> None:
    settings.STRIPE_TEST_SECRET_KEY = ""
    StripeConnection.objects.create(vendor=VendorFactory.create(), account_id="acct_1", connected_at=timezone.now())


FAULTS: dict[str, tuple[Callable[..., Any], Break, Grade, str, str]] = {
    "debug": (
        configuration.review_settings,
        lambda s: setattr(s, "DEBUG", True),
        Grade.PROBLEM,
        "DEBUG is on",
        "DEBUG out of the environment",
    ),
    "host": (
        configuration.review_settings,
        lambda s: setattr(s, "PUBLIC_URL", "https://bills.example"),
        Grade.PROBLEM,
        "does not have bills.example",
        "Add bills.example to ALLOWED_HOSTS",
    ),
    "migrations": (servers.migrations, _unapplied, Grade.PROBLEM, "0002_measurements_by_month", "manage.py migrate"),
    "silent": (servers.programs, _silent, Grade.PROBLEM, "Workers: silent since", "celery --app billing_portal worker"),
    "mail": (servers.mail_server, _mail, Grade.PROBLEM, "does not take us", "EMAIL_URL"),
    "static": (work.static_files, _static, Grade.PROBLEM, "static files are missing", "collectstatic"),
    "late": (work.overdue, _late, Grade.PROBLEM, "1 invoices wait, the oldest for 2:00:0", "docs/operations.md"),
    "failed": (work.failed_webhooks, _failed, Grade.WARNING, "could not be processed", "replays them"),
    "months": (work.months, _months, Grade.WARNING, "no table for the measurements", "beat runs"),
    "disk": (
        work.disk_space,
        lambda s: setattr(work, "LITTLE_ROOM", 2.0),
        Grade.WARNING,
        "GB free",
        "'A disk is full'",
    ),
    "no key": (stripe.keys, _connected, Grade.PROBLEM, "STRIPE_TEST_SECRET_KEY is not set", "Set STRIPE_TEST_SECRET"),
    "no secret": (stripe.webhooks, _no_secret, Grade.PROBLEM, "all are refused", "manage.py stripe_webhook_endpoint"),
    "wrong mode": (
        stripe.keys,
        lambda s: setattr(s, "STRIPE_LIVE_SECRET_KEY", "sk_test_mistaken"),
        Grade.PROBLEM,
        "not a key of live mode",
        "sk_live_",
    ),
    "web": (
        stripe.way_in,
        lambda s: setattr(s, "PUBLIC_URL", f"http://127.0.0.1:{free_port()}"),
        Grade.PROBLEM,
        "does not answer",
        "Start the web servers",
    ),
}


@pytest.mark.django_db
@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_named(name: str, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    look, spoil, grade, text, remedy = FAULTS[name]
    monkeypatch.setattr(work, "LITTLE_ROOM", work.LITTLE_ROOM)  # put back afterwards, whoever changes it
    spoil(settings)
    found: list[Finding] = [one for one in look(timezone.now()) if one.grade == grade and text in one.text]
    assert found, list(look(timezone.now()))
    assert remedy in found[0].remedy


def test_what_cannot_be_looked_at_hides_nothing_else(settings: Settings) -> None:
    """No database, no broker, and still every part is spoken of."""
    settings.CELERY_BROKER_URL = f"redis://127.0.0.1:{free_port()}/0"
    status, said = diagnosis("--quiet")
    assert status == 1
    assert "PROBLEM  Database: Cannot be examined" in said
    assert "PROBLEM  Broker: Cannot be examined: ConnectionError" in said
    assert "See that REDIS_URL is right" in said
    assert Path(known.BASE_DIR, "docs/operations.md").exists()
