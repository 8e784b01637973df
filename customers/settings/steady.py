"""Settings that stand still while something is planned by them.

Saving settings moves what is planned already, and cannot see what another transaction is planning at that moment by
the settings as they were: an invoice generated just then would be issued without the payment grace period that was
just asked for. So whoever plans holds the vendor's settings beside others who plan, and whoever saves has them alone.
"""

from __future__ import annotations

from collections.abc import Collection

from django.db import connection

# Any number will do, so long as nothing else in this database takes advisory locks in the same class.
_LOCK_CLASS = 0x736574


def hold(vendor_id: int) -> None:
    """Nobody saves settings of this vendor until the transaction ends. Waits for those who do: taken first."""
    _lock("pg_advisory_xact_lock_shared", vendor_id)


def hold_alone(vendor_id: int) -> None:
    """Nobody plans by them until the transaction ends."""
    _lock("pg_advisory_xact_lock", vendor_id)


def try_to_hold(vendor_ids: Collection[int]) -> set[int]:
    """Those vendors of which nobody saves settings, nor will until the transaction ends. Never waits."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM unnest(%s::int[]) AS id WHERE pg_try_advisory_xact_lock_shared(%s, id)",
            [list(vendor_ids), _LOCK_CLASS],
        )
        return {pk for (pk,) in cursor.fetchall()}


def _lock(function: str, vendor_id: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(%s, %s)", [_LOCK_CLASS, vendor_id])
