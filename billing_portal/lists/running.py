"""Imports move on here, a piece at a time: checked, carried out, undone. What a row has become is kept in the
transaction that did it, so a worker that dies in the middle leaves nothing half done and nothing is done twice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from billing_portal.lists import customer_rows, price_rows
from billing_portal.lists.models import Import, ImportRow
from customers.errors import Conflict, Refused
from customers.events.models import EventKind, SubjectKind
from customers.events.record import Fact, record

State, Fate, Outcome = Import.State, ImportRow.Fate, ImportRow.Outcome

CHECKED_AT_ONCE = 500
DONE_AT_ONCE = 50
TO_DO = (Fate.CREATE, Fate.UPDATE)


def start(made: Import, state: Import.State, *, allowed: Import.State) -> None:
    """From one resting state on. Raises ``Conflict`` where somebody was faster."""
    moved = Import.objects.of(made.vendor).filter(pk=made.pk, state=allowed)
    if not moved.update(state=state, problem="", claim_token=None, claimed_until=None):
        raise Conflict(f"{made.file_name} is {made.get_state_display().lower()}.")


def step(made: Import, *, real_now: datetime) -> bool:
    """The next piece of it. False: it rests."""
    kinds: dict[str, Callable[[Import, datetime], bool]] = {
        State.CHECKING: _check,
        State.APPLYING: _apply,
        State.UNDOING: _undo,
    }
    made.refresh_from_db()
    move = kinds.get(made.state)
    return move is not None and move(made, real_now)


def _rest(made: Import, state: Import.State, real_now: datetime, problem: str = "") -> bool:
    made.state, made.problem, made.finished_at = state, problem, real_now
    made.save(update_fields=["state", "problem", "finished_at", "target"])
    return False


def _check(made: Import, real_now: datetime) -> bool:
    rows = list(ImportRow.objects.filter(of=made, fate=Fate.UNKNOWN).order_by("line")[: _piece(made)])
    if not rows:
        return _rest(made, State.CHECKED, real_now)
    try:
        (price_rows.check if made.kind == Import.Kind.PRICE_LIST else customer_rows.check)(rows, made)
    except Refused as refusal:
        for row in rows:
            row.fate, row.reason = Fate.ERROR, refusal.message
    ImportRow.objects.bulk_update(rows, ["fate", "reason", "name"])
    return True


def _piece(made: Import) -> int:
    """A price list is looked at, and becomes a version, as a whole."""
    return made.total if made.kind == Import.Kind.PRICE_LIST else CHECKED_AT_ONCE


def _waiting(made: Import) -> QuerySet[ImportRow]:
    return ImportRow.objects.filter(of=made, fate__in=TO_DO, outcome=Outcome.OPEN)


def _apply(made: Import, real_now: datetime) -> bool:
    if made.kind == Import.Kind.PRICE_LIST:
        return _apply_list(made, real_now)
    waiting = list(_waiting(made).order_by("line").values_list("pk", flat=True)[:DONE_AT_ONCE])
    for pk in waiting:
        _one(pk, made, Outcome.OPEN, Outcome.FAILED, customer_rows.apply, real_now)
    return bool(waiting) or _end(made, State.APPLIED, EventKind.IMPORT_APPLIED, real_now)


def _undo(made: Import, real_now: datetime) -> bool:
    if made.kind == Import.Kind.PRICE_LIST:
        return _undo_list(made, real_now)
    done = ImportRow.objects.filter(of=made, outcome=Outcome.DONE).order_by("-line")
    waiting = list(done.values_list("pk", flat=True)[:DONE_AT_ONCE])
    for pk in waiting:
        _one(pk, made, Outcome.DONE, Outcome.KEPT, customer_rows.undo, real_now)
    return bool(waiting) or _end(made, State.UNDONE, EventKind.IMPORT_UNDONE, real_now)


def _one(
    pk: int, made: Import, expected: ImportRow.Outcome, refused: ImportRow.Outcome, act: Callable[..., None],
    real_now: datetime,
) -> None:  # fmt: skip
    """One row, whole or not at all; whoever comes second finds it done."""
    with transaction.atomic():
        row = ImportRow.objects.select_for_update().filter(pk=pk, outcome=expected).first()
        if row is None:
            return
        try:
            with transaction.atomic():
                act(row, made, now=made.vendor.now(real_now), real_now=real_now)
        except Refused as refusal:
            row.outcome, row.reason = refused, customer_rows.in_words(refusal)
        row.save(update_fields=["outcome", "reason", "before", "after"])


def _apply_list(made: Import, real_now: datetime) -> bool:
    try:
        with transaction.atomic():
            Import.objects.select_for_update().get(pk=made.pk, state=State.APPLYING)
            rows = list(_waiting(made).order_by("line"))
            if rows:
                price_rows.apply(rows, made, now=made.vendor.now(real_now))
            _waiting(made).update(outcome=Outcome.DONE)
            return _end(made, State.APPLIED, EventKind.IMPORT_APPLIED, real_now)
    except Refused as refusal:
        return _rest(made, State.CHECKED, real_now, refusal.message)


def _undo_list(made: Import, real_now: datetime) -> bool:
    try:
        with transaction.atomic():
            Import.objects.select_for_update().get(pk=made.pk, state=State.UNDOING)
            price_rows.undo(made, now=made.vendor.now(real_now))
            ImportRow.objects.filter(of=made, outcome=Outcome.DONE).update(outcome=Outcome.UNDONE)
            return _end(made, State.UNDONE, EventKind.IMPORT_UNDONE, real_now)
    except Refused as refusal:
        return _rest(made, State.APPLIED, real_now, refusal.message)


@transaction.atomic
def _end(made: Import, state: Import.State, kind: EventKind, real_now: datetime) -> bool:
    """The fact is written once: by whoever finds the import still at work."""
    if Import.objects.select_for_update().get(pk=made.pk).state != made.state:
        return False
    details = {"note": f"{made.file_name}: {figures_in_words(made)}.", "import": str(made.uuid)}
    fact = Fact(kind, SubjectKind.VENDOR, made.vendor_id, details=details)
    record(made.vendor, fact, actor=made.actor, now=made.vendor.now(real_now), real_now=real_now)
    return _rest(made, state, real_now)


def figures(made: Import) -> dict[str, int]:
    """How many rows of each fate, and of each outcome."""
    from django.db.models import Count

    rows = ImportRow.objects.filter(of=made).values("fate", "outcome").annotate(count=Count("pk")).order_by()
    found: dict[str, int] = {}
    for row in rows:
        for key in (row["fate"] or "unchecked", row["outcome"]):
            if key:
                found[key] = found.get(key, 0) + row["count"]
    return found


def figures_in_words(made: Import) -> str:
    found = figures(made)
    words = (("done", "done"), ("undone", "undone"), ("unchanged", "unchanged"), ("failed", "refused"),
             ("kept", "not undone"), ("error", "with an error"))  # fmt: skip
    said = [f"{found[key]} {word}" for key, word in words if found.get(key)]
    return ", ".join(said) or "nothing to do"
