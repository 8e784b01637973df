"""A vendor's tables filled with as many rows as one likes, by bare SQL: copies of rows that are there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.db import connection, models

if TYPE_CHECKING:
    from tests.portal.scene import Scene

# Of two hundred invoices, how many are in which state: from, up to (exclusive), the row of the scene to copy.
SHARES = (
    (0, 170, "acme-january"),
    (170, 186, "issued"),
    (186, 192, "generated"),
    (192, 194, "approval"),
    (194, 195, "payment-failed"),
    (195, 196, "issuing-failed"),
    (196, 200, "voided"),
)
PEOPLE = "bench_people"
# The hour that row n happened at, over the last two years.
WHEN = "timestamptz '2026-03-01' - ({n} % 17000) * interval '1 hour' - {n} * interval '1 millisecond'"


def copy_row(row: models.Model, count: str, changed: Mapping[str, str], first: int = 0, join: str = "") -> None:
    """As often as ``count`` says, each with what ``changed`` gives for a column; ``n`` is its number."""
    model = type(row)
    columns = [field for field in model._meta.concrete_fields if not field.generated and not _is_counted(field)]
    given = {field.column: changed.get(field.column, f"t.{_quoted(field.column)}") for field in columns}
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {model._meta.db_table} ({', '.join(map(_quoted, given))}) "  # noqa: S608 - our own words
            f"SELECT {', '.join(given.values())} FROM {model._meta.db_table} t, "
            f"generate_series({first}, {first} + ({count}) - 1) n {join} WHERE t.id = {row.pk}"
        )


def _is_counted(field: Any) -> bool:
    return isinstance(field, models.AutoField | models.BigAutoField) or field.db_default is not models.NOT_PROVIDED


def _quoted(column: str) -> str:
    return f'"{column}"'


def fill(scene: Scene, *, customers: int, invoices: int, first: int = 0) -> None:
    """``first``: how many there are already of what an earlier call made."""
    _people(scene, customers, first)
    _bills(scene, customers, invoices, first)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE" if not connection.in_atomic_block else "ANALYZE")


def _people(scene: Scene, count: int, first: int) -> None:
    from customers.models import Customer

    acme = scene.customers["acme"]
    name = f"'person-{first}-' || n"
    words = "'Firm ' || md5(n::text) || ' ' || (ARRAY['Robotics', 'Foods', 'Travel', 'Energy'])[1 + n % 4]"
    own = {"name": name, "display_name": words, "email": f"{name} || '@example.com'", "created_at": WHEN.format(n="n")}
    own["tags"] = """CASE WHEN n % 100 = 0 THEN '["vip"]'::jsonb ELSE '[]'::jsonb END"""
    copy_row(acme, str(count), own)
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {PEOPLE}")
        cursor.execute(
            f"CREATE TEMPORARY TABLE {PEOPLE} AS SELECT id, row_number() OVER (ORDER BY id) - 1 AS place "  # noqa: S608
            f"FROM {Customer._meta.db_table} WHERE name LIKE 'person-{first}-%'"
        )
        cursor.execute(f"ANALYZE {PEOPLE}")
    _of_people(scene, count)


def _of_people(scene: Scene, count: int) -> None:
    acme, wayne = scene.customers["acme"], scene.customers["wayne"]
    person, each = {"customer_id": "p.id"}, f"JOIN {PEOPLE} p ON p.place = n"
    uuid = {"uuid": "gen_random_uuid()"}
    copy_row(acme.measurement_mappings.get(), str(count), {**person, "value_regex": "'person-' || n"}, join=each)
    linked = {**person, "external_id": "'cus_bench_' || p.id"}
    copy_row(acme.stripe_customers.get(), str(count), linked, join=each)
    copy_row(acme.subscriptions.get(), str(count), {**person, **uuid}, join=each)
    copy_row(wayne.billing_override, str(count // 50), person, join=each)


def _bills(scene: Scene, customers: int, count: int, first: int) -> None:
    when, number = WHEN.format(n="n"), f"'B{first}-' || n"
    person = f"JOIN {PEOPLE} p ON p.place = n % {customers}"
    for low, high, key in SHARES:
        row = scene.invoices[key]
        own = {
            "uuid": "gen_random_uuid()", "customer_id": "p.id", "cycle_id": "NULL", "subscription_id": "NULL",
            "generated_at": when, "period_start": when, "period_end": when, "amount_due": "1000 + n % 90000",
            "number": number if row.number else "''", "due_date": f"{when} + interval '30 days'",
            "external_invoice_id": f"'in_bench_{first}_' || n" if row.external_invoice_id else "''",
            "next_action_at": f"{when} + interval '800 days'" if row.next_action_at else "NULL",
        }  # fmt: skip
        copy_row(row, str(count), own, join=f"{person} AND n % 200 >= {low} AND n % 200 < {high}")
    _of_bills(scene, first)


def _of_bills(scene: Scene, first: int) -> None:
    """A line, two events, and for what was paid a payment and an e-mail each."""
    from customers.models import Event
    from invoicing.invoices.models import OutgoingEmail, Payment
    from tests.portal.scene import collect

    paid = scene.invoices.get("collected") or collect(scene)
    scene.invoices["collected"] = paid
    bench = "JOIN invoicing_invoice i ON i.memo <> 'counted' AND i.number LIKE 'B%'"
    own = {"invoice_id": "i.id", "uuid": "gen_random_uuid()"}
    told = {"subject_id": "i.id", "customer_id": "i.customer_id", "uuid": "gen_random_uuid()"}
    line, payment = paid.line_items.first(), Payment.objects.get(invoice=paid)
    email, event = OutgoingEmail.objects.first(), Event.objects.filter(subject_kind="invoice").first()
    assert line is not None
    assert email is not None
    assert event is not None
    was_paid = f"{bench} AND i.status = 'INVOICE_PAID'"
    moment = {"occurred_at": "i.generated_at", "external_id": "'ch_bench_' || i.id"}
    copy_row(line, "1", own, join=bench)
    copy_row(event, "2", told, join=bench)
    copy_row(payment, "1", {**own, **moment}, join=was_paid)
    copy_row(email, "1", {**own, "message_id": "'<' || i.id || '@bench>'"}, join=was_paid)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE invoicing_invoice SET memo = 'counted' WHERE number LIKE 'B%' AND memo <> 'counted'")
