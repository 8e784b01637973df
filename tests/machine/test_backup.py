"""docs/operations.md's backup and restore, walked through: what comes back is what was there, and what happened in
Stripe since is found and taken up."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings as known
from django.db import connection
from django.utils import timezone
from psycopg import sql

from billing_portal.machine.binaries import postgres_folder
from billing_portal.machine.environment import PROJECT
from customers.actors import SCHEDULE
from invoicing.models import Invoice
from payments.stripe import connect
from payments.stripe.customers import generate
from tests.factories import InvoiceFactory, LineItemFactory
from tests.machine.running import environment
from tests.sandbox_server import StripeSandbox
from tests.scenarios.test_from_usage_to_payment import give_card
from tests.world import World

KEY = "Zm9yIHRlc3RzIG9ubHkgLSAzMiBieXRlcyBsb25nISE="


def address(database: str) -> str:
    given = connection.settings_dict
    return f"postgres://{given['USER']}:{given['PASSWORD']}@{given['HOST']}:{given['PORT']}/{database}"


@pytest.fixture
def elsewhere() -> Iterator[str]:
    """An empty database beside the present one."""
    name = f"{connection.settings_dict['NAME']}_restored"
    with psycopg.connect(address("postgres"), autocommit=True) as there:
        drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        there.execute(drop)
        there.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield address(name)
        there.execute(drop)


def tool(name: str, *arguments: str) -> None:
    program = postgres_folder(None) / "bin" / name
    subprocess.run([program, *arguments], check=True, capture_output=True, text=True)


def books(url: str) -> dict[str, tuple[int, str]]:
    """Of each table how many rows it has, and a sum over all they say."""
    with psycopg.connect(url, autocommit=True) as there:
        tables = [name for (name,) in there.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
        ask = sql.SQL("SELECT count(*), coalesce(md5(string_agg(md5(t::text), '' ORDER BY t::text)), '') FROM {} AS t")
        return {name: there.execute(ask.format(sql.Identifier(name))).fetchone() for name in tables}  # type: ignore[misc]


def manage(url: str, sandbox: StripeSandbox, *arguments: str) -> str:
    """A command of the restored installation, in production's settings."""
    env = environment() | {
        "DJANGO_SETTINGS_MODULE": "billing_portal.settings.production",
        "DATABASE_URL": url,
        "REDIS_URL": os.environ["REDIS_URL"],
        "SECRET_KEY": "x" * 60,
        "FIELD_ENCRYPTION_KEYS": KEY,
        "ALLOWED_HOSTS": "billing.example.com",
        "PUBLIC_URL": "https://billing.example.com",
        "EMAIL_URL": "dummymail://",
        "STRIPE_TEST_SECRET_KEY": sandbox.secret_key,
        "STRIPE_API_BASE": sandbox.api_base,
        "STRIPE_TEST_CALLS_PER_SECOND": "0",
    }
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments], cwd=PROJECT, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def sent_invoice(world: World, name: str, sandbox: StripeSandbox) -> Invoice:
    """A customer with a card, and an invoice that was sent through Stripe and is not paid."""
    customer = world.customer(name, email=f"{name}@acme.example")
    give_card(sandbox, generate(customer, actor=SCHEDULE, real_now=timezone.now()).external_id)
    invoice = InvoiceFactory.create(
        customer=customer, number="", sub_total=1000, generated_at=world.now, paid_at=None, issued_at=None
    )
    LineItemFactory.create(invoice=invoice, position=0, amount=1000)
    world.rest()
    world.rest()
    invoice.refresh_from_db()
    assert (invoice.status, bool(invoice.external_invoice_id)) == ("INVOICE_ISSUED", True)
    return invoice


def status_of(url: str, invoice: Invoice) -> Any:
    with psycopg.connect(url, autocommit=True) as there:
        return there.execute("SELECT status FROM invoicing_invoice WHERE uuid = %s", [invoice.uuid]).fetchone()


@pytest.mark.django_db(transaction=True)
def test_a_backup_is_restored_and_catches_up_with_stripe(
    stripe_sandbox: StripeSandbox, settings: Any, tmp_path: Path, elsewhere: str
) -> None:
    settings.STRIPE_TEST_SECRET_KEY = stripe_sandbox.secret_key
    settings.FIELD_ENCRYPTION_KEYS = [KEY]
    world = World(datetime.now(tz=timezone.get_current_timezone()), name="northwind")
    connect.attach(world.vendor, stripe_sandbox.account, livemode=False, real_now=timezone.now())
    world.settings(should_send_invoice_to_customers=True, invoice_via_octane=False, charges_enabled=False,
                   stripe_immediate_finalization=True)  # fmt: skip
    before = sent_invoice(world, "acme", stripe_sandbox)

    here, dump = address(str(connection.settings_dict["NAME"])), str(tmp_path / "billing.dump")
    tool("pg_dump", "--format=custom", f"--file={dump}", here)
    kept = books(here)

    # What the backup does not know: a payment, and an invoice.
    stripe_sandbox.client().v1.invoices.pay(before.external_invoice_id, {"off_session": True})
    after = sent_invoice(world, "late", stripe_sandbox)

    tool("pg_restore", "--exit-on-error", "--no-owner", f"--dbname={elsewhere}", dump)
    assert books(elsewhere) == kept
    assert len(kept) > 60
    assert (status_of(elsewhere, before), status_of(elsewhere, after)) == (("INVOICE_ISSUED",), None)

    said = manage(elsewhere, stripe_sandbox, "reconcile", "--since", "2020-01-01", "--repair")
    assert status_of(elsewhere, before) == ("INVOICE_PAID",)
    assert after.external_invoice_id in said, said
    assert "No migrations to apply" in manage(elsewhere, stripe_sandbox, "migrate")
    assert known.DATABASES["default"]["NAME"] != elsewhere
