"""Locks are taken in one order, everywhere: every test watches every transaction for it.

``ORDER`` is the order of docs/concurrency.md, by table. A statement that may wait for a row of a table that comes
earlier than one the transaction holds already is a violation: two that do so the other way round end in a deadlock.
What never waits (``SKIP LOCKED``, ``NOWAIT``) and rows of a table that the transaction holds or has made itself are
let pass. A row that is inserted locks nothing that others wait for.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from billing_portal.machine.environment import PROJECT

# Tables of one line are never held together by two that wait for each other; docs/concurrency.md says why.
ORDER = """
lists_import
lists_importrow
accounts_invitation
customers_vendor
accounts_membership
accounts_operator auth_group auth_permission accounts_secondfactor accounts_recoverycode accounts_apikey
accounts_operator_groups accounts_operator_user_permissions auth_group_permissions lists_savedview
customers_customer
customers_billingsettings customers_billingsettingsoverride customers_customermetadata customers_measurementmapping
payments_stripeconnection
payments_stripetaxrate
payments_stripecustomer payments_stripepaymentmethod
invoicing_priceplan invoicing_meteredcomponent invoicing_pricescheme invoicing_pricetier invoicing_addon invoicing_meter
invoicing_invoice
invoicing_subscription
invoicing_addonchange invoicing_usagealert
invoicing_billingcycle
invoicing_coupon
invoicing_discount invoicing_couponuse
invoicing_adhoccharge
invoicing_prorationcredit
invoicing_lineitem invoicing_invoicedocument
invoicing_issueattempt invoicing_chargeattempt invoicing_payment invoicing_refund invoicing_dispute
invoicing_disputemovement
invoicing_outgoingemail
invoicing_logofile
invoicing_numberseries
invoicing_unattributedmeasurement
invoicing_givenid
invoicing_measurement
invoicing_droppedmonth
invoicing_staleusage invoicing_usageday invoicing_usagelimitcheck invoicing_comingbill
payments_reconciliationrun payments_seeninvoice
payments_importedinvoice payments_difference payments_watch payments_eventcursor
payments_stripeevent payments_webhooktally
payments_stripewebhooksecret
customers_webhookendpoint
customers_event
customers_webhookdelivery
customers_webhookattempt
api_idempotentrequest
"""
# What is written under the lock of the row it hangs on, or beside a row that nobody else sees yet, in any order. Who
# holds one of these without that takes nothing after it that comes before it.
UNDER = {
    "lists_import": {"lists_importrow"},
    "customers_customer": {
        "customers_billingsettingsoverride", "customers_customermetadata", "customers_measurementmapping",
        "invoicing_comingbill", "payments_stripecustomer", "payments_stripepaymentmethod",
    },
    "invoicing_priceplan": {
        "invoicing_meteredcomponent", "invoicing_pricescheme", "invoicing_pricetier", "invoicing_addon",
        "invoicing_usagealert",
    },
    "payments_reconciliationrun": {"payments_seeninvoice", "payments_difference"},
    "customers_webhookendpoint": {"customers_webhookdelivery", "customers_webhookattempt"},
    "invoicing_invoice": {
        "invoicing_lineitem", "invoicing_invoicedocument", "invoicing_issueattempt", "invoicing_chargeattempt",
        "invoicing_payment", "invoicing_refund", "invoicing_dispute", "invoicing_disputemovement",
        "invoicing_outgoingemail", "payments_difference", "payments_watch",
    },
}  # fmt: skip
RANK = {table: rank for rank, line in enumerate(ORDER.split("\n")) for table in line.split()}

_FOR = re.compile(r"\bFOR (?:NO KEY )?(?:UPDATE|SHARE)(?: OF ([\w\", ]+?))?( SKIP LOCKED| NOWAIT)?\s*\)?\s*$")
_CHANGE = re.compile(r"\s*(?:UPDATE|DELETE FROM)\s+\"?(\w+)")
_INSERT = re.compile(r"\s*INSERT INTO\s+\"?(\w+)")
_FROM = re.compile(r"\bFROM\s+\"?(\w+)")


@dataclass
class Held:
    """What one transaction has locked, in order, and what it has made."""

    locked: list[str] = field(default_factory=list)
    made: set[str] = field(default_factory=set)


violations: list[str] = []
_held: dict[int, Held] = {}


def tables_of(sql: str) -> tuple[list[str], bool]:
    """The tables whose rows a statement locks, and whether it may wait for them."""
    if change := _CHANGE.match(sql):
        # Whole tables are only emptied by tests.
        return ([change[1]] if "WHERE" in sql else []), True
    found = _FOR.search(sql)
    if found is None:
        return [], False
    if found[1] is None:
        table = _FROM.search(sql)
        return [table[1]] if table else [], not found[2]
    names = [name.strip().strip('"') for name in found[1].split(",")]
    return [_table(sql, name) for name in names], not found[2]


def _table(sql: str, name: str) -> str:
    """An alias stands for its table."""
    aliased = re.search(rf"(?:FROM|JOIN)\s+\"?(\w+)\"?\s+(?:AS\s+)?\"?{name}\"?\b", sql)
    return aliased[1] if aliased else name


def _watch(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any) -> Any:
    result = execute(sql, params, many, context)
    if isinstance(sql, str):
        held = _held.get(id(context["connection"]))
        if held is not None:
            _note(held, sql)
    return result


def _is_of_a_test() -> bool:
    """Whether the statement was sent by a test itself: what it does to set a scene, no program does."""
    frame = sys._getframe(1)
    while frame.f_back is not None:
        name = frame.f_code.co_filename
        if name.startswith(f"{PROJECT}/") and "/.venv/" not in name and name != __file__:
            return name.startswith(f"{PROJECT}/tests/")
        frame = frame.f_back
    return False


def _note(held: Held, sql: str) -> None:
    if made := _INSERT.match(sql):
        held.made.add(made[1])
        return
    tables, may_wait = tables_of(sql)
    problems: list[str] = []
    for table in tables:
        if table in held.made or table in held.locked or table.startswith(("sandbox_", "django_")):
            continue
        if any(table in UNDER.get(parent, ()) for parent in (*held.locked, *held.made)):
            continue
        if table not in RANK:
            problems.append(f"{table} has no place in the order of tests/locks.py: {sql[:200]}")
        elif may_wait and (later := [one for one in held.locked if RANK.get(one, 0) > RANK[table]]):
            problems.append(f"{table} after {', '.join(later)} (held: {', '.join(held.locked)}): {sql[:300]}")
        held.locked.append(table)
    if problems and not _is_of_a_test():
        violations.extend(problems)


def _connected(sender: object, connection: BaseDatabaseWrapper, **kwargs: object) -> None:
    if _watch not in connection.execute_wrappers:
        connection.execute_wrappers.insert(0, _watch)


def _is_outermost(atomic: transaction.Atomic) -> bool:
    """Of those that are not a test's own."""
    blocks = connections[atomic.using or "default"].atomic_blocks
    return [one for one in blocks if not one._from_testcase] == [atomic]  # type: ignore[attr-defined]


@pytest.fixture(scope="session", autouse=True)
def _every_transaction_is_watched() -> Iterator[None]:
    enter, leave = transaction.Atomic.__enter__, transaction.Atomic.__exit__

    def begin(atomic: transaction.Atomic) -> None:
        enter(atomic)
        if _is_outermost(atomic):
            _held[id(connections[atomic.using or "default"])] = Held()

    def end(atomic: transaction.Atomic, *problem: Any) -> None:
        if _is_outermost(atomic):
            _held.pop(id(connections[atomic.using or "default"]), None)
        leave(atomic, *problem)

    connection_created.connect(_connected)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transaction.Atomic, "__enter__", begin)
        patch.setattr(transaction.Atomic, "__exit__", end)
        yield
    connection_created.disconnect(_connected)


@pytest.fixture(autouse=True)
def locks_in_one_order() -> Iterator[None]:
    violations.clear()
    yield
    found = sorted(set(violations))
    assert not found, "Locks out of order (docs/concurrency.md):\n" + "\n".join(found)
