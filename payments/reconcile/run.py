"""A comparison with one account, page by page: begun, carried on by whoever has the claim, killed and continued.

With each page its findings, the sums and the cursor are committed together.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet

from customers.claims import claim, renew, unclaimed
from invoicing.gateways import GatewayError, GatewayRejected, GatewayUnavailable
from payments.reconcile import phases
from payments.reconcile.findings import Findings, Found
from payments.reconcile.models import Difference, ReconciliationRun, SeenInvoice
from payments.reconcile.repair import repair
from payments.stripe.customers import pause
from payments.stripe.models import StripeConnection

logger = logging.getLogger(__name__)

Run = ReconciliationRun
State = Run.State
Clock = Callable[[], datetime]

WINDOW = timedelta(days=35)
MOST_FAILURES = 10
KEPT = timedelta(days=90)
OUT_OF_REACH = "Stripe was out of reach ten times in a row. Compare again when it answers."


class Lost(Exception):
    """The claim has passed to somebody else."""


def connections(vendor_id: int | None = None) -> QuerySet[StripeConnection]:
    """The accounts to compare with."""
    rows = StripeConnection.objects.filter(disconnected_at__isnull=True).select_related("vendor").order_by("pk")
    return rows if vendor_id is None else rows.filter(vendor_id=vendor_id)


def start(
    connection: StripeConnection,
    *,
    by: str,
    real_now: datetime,
    since: datetime | None = None,
    repairs: bool = False,
) -> Run:
    """Begin a comparison, or answer the one that is under way, whoever began it and however."""
    run, _ = Run.objects.get_or_create(
        connection=connection,
        state=State.RUNNING,
        defaults={
            "vendor": connection.vendor,
            "since": since or default_since(connection, real_now),
            "repairs": repairs,
            "phase": phases.NAMES[0],
            "started_by": by,
            "started_at": real_now,
            "moved_at": real_now,
        },
    )
    return run


def default_since(connection: StripeConnection, real_now: datetime) -> datetime:
    """The sandbox follows the vendor's clock, Stripe itself does not."""
    return min(real_now, connection.vendor.now(real_now)) - WINDOW


def waiting(*, real_now: datetime) -> list[int]:
    """Runs that nobody is at: just begun, held back after a failure, or left behind."""
    rows = Run.objects.filter(unclaimed(real_now), state=State.RUNNING)
    return list(rows.order_by("pk").values_list("pk", flat=True))


def drive(
    run_pk: int, *, clock: Clock, most_pages: int = 0, watch: Callable[[Run], None] = lambda run: None
) -> Run | None:
    """Go on with a run, up to ``most_pages`` (0: to its end). None while somebody else is at it."""
    token, taken = claim(Run.objects.filter(pk=run_pk, state=State.RUNNING), real_now=clock(), lease=_lease(), limit=1)
    if not taken:
        return None
    pages = 0
    while True:
        run = Run.objects.select_related("connection__vendor", "vendor").get(pk=run_pk)
        if run.state != State.RUNNING or run.claim_token != token or (most_pages and pages == most_pages):
            break
        _step(run, token, clock)
        pages += 1
        watch(run)
    Run.objects.filter(pk=run_pk, claim_token=token).update(claim_token=None, claimed_until=None)
    return Run.objects.select_related("connection").get(pk=run_pk)


def _lease() -> timedelta:
    """A page may have to wait for its turns at the rate limit."""
    lease: timedelta = settings.CLAIM_LEASE * 5
    return lease


def _step(run: Run, token: UUID, clock: Clock) -> None:
    """One page, and the repair of what it found. What a killed run left to repair comes first."""
    if not renew(Run, run.pk, token, real_now=clock(), lease=_lease()):
        return
    try:
        _repair(run, clock)
        if not run.phase:
            _end(run, State.FINISHED, clock())
            return
        found, cursor = phases.PHASES[run.phase](run)
        _record(run, token, found, cursor, clock())
    except Lost:
        return
    except GatewayRejected as error:
        _rejected(run, error, clock())
    except GatewayUnavailable as error:
        _unavailable(run, error, clock())
    except Exception as error:
        logger.exception("%s could not go on", run)
        _end(run, State.FAILED, clock(), last_error=f"{type(error).__name__}: {error}")


def _rejected(run: Run, error: GatewayError, real_now: datetime) -> None:
    """The object that the page was to follow is gone: the phase begins again. Anything else ends the run."""
    if error.code != "resource_missing" or not run.cursor:
        _end(run, State.FAILED, real_now, last_error=error.message)
        return
    money = {**run.money}
    for buckets in money.values():
        buckets.pop(phases.SUMS.get(run.phase, ""), None)
    Run.objects.filter(pk=run.pk).update(cursor="", money=money)


def _unavailable(run: Run, error: GatewayError, real_now: datetime) -> None:
    failures = run.failures + 1
    if not connections(run.vendor_id).filter(pk=run.connection_id).exists():
        _end(run, State.FAILED, real_now, last_error=error.message)
        return
    if failures >= MOST_FAILURES:
        _end(run, State.FAILED, real_now, last_error=f"{OUT_OF_REACH} {error.message}")
        return
    Run.objects.filter(pk=run.pk).update(
        failures=failures, last_error=error.message, claim_token=None, claimed_until=real_now + pause(failures)
    )


def _record(run: Run, token: UUID, found: Findings, cursor: str, real_now: datetime) -> None:
    with transaction.atomic():
        if not Run.objects.select_for_update().filter(pk=run.pk, claim_token=token).exists():
            raise Lost
        _write_differences(run, found, real_now)
        for seen in found.seen:
            seen.run = run
        SeenInvoice.objects.bulk_create(found.seen, ignore_conflicts=True)
        Run.objects.filter(pk=run.pk).update(
            phase=run.phase if cursor else phases.after(run.phase),
            cursor=cursor,
            money=found.money.onto(run.money),
            pages=F("pages") + 1,
            objects_seen=F("objects_seen") + found.objects,
            found=F("found") + len(found.found),
            moved_at=real_now,
            failures=0,
            last_error="",
        )


def _end(run: Run, state: State, real_now: datetime, **columns: str) -> None:
    Run.objects.filter(pk=run.pk).update(
        state=state, phase=run.phase, finished_at=real_now, claim_token=None, claimed_until=None, **columns
    )
    SeenInvoice.objects.filter(run=run).delete()


def _write_differences(run: Run, found: Findings, real_now: datetime) -> None:
    """What stands already keeps its day; what stood and is not there any more is gone."""
    standing = Difference.objects.filter(
        connection=run.connection, external_id__in=found.looked, repaired_at__isnull=True, gone_at__isnull=True
    )
    known = {(one.kind, one.external_id): one for one in standing}
    again: list[Difference] = []
    new: list[Difference] = []
    for one in found.found:
        row = known.pop((one.kind, one.external_id), None)
        (again if row else new).append(_row(run, one, row, real_now))
    Difference.objects.bulk_update(again, ["run", "ours", "theirs", "look", "advice", "last_error"])
    Difference.objects.bulk_create(new, ignore_conflicts=True)
    Difference.objects.filter(pk__in=[row.pk for row in known.values()]).update(gone_at=real_now)


def _row(run: Run, found: Found, row: Difference | None, real_now: datetime) -> Difference:
    row = row or Difference(
        vendor_id=run.vendor_id,
        connection=run.connection,
        kind=found.kind,
        external_id=found.external_id,
        customer_id=found.customer_id,
        invoice_id=found.invoice_id,
        found_at=real_now,
    )
    row.run, row.ours, row.theirs = run, found.ours, found.theirs
    row.look, row.advice, row.last_error = dict(found.look), found.advice, ""
    return row


def _repair(run: Run, clock: Clock) -> None:
    if not run.repairs:
        return
    for one in to_repair(run):
        if repair(one, real_now=clock()):
            Run.objects.filter(pk=run.pk).update(repaired=F("repaired") + 1)


def to_repair(run: Run) -> Sequence[Difference]:
    """What the run has found and nobody has tried to repair since."""
    return list(untried(Difference.objects.filter(run=run))[:1000])


def repairable(vendor_id: int) -> QuerySet[Difference]:
    """What stands between a vendor and Stripe, can be repaired, and was not tried."""
    return untried(Difference.objects.filter(vendor_id=vendor_id, connection__disconnected_at__isnull=True))


def untried(rows: QuerySet[Difference]) -> QuerySet[Difference]:
    standing = rows.filter(repaired_at__isnull=True, gone_at__isnull=True, last_error="").exclude(look={})
    return standing.select_related("connection__vendor", "vendor").order_by("pk")


def try_again(vendor_id: int) -> int:
    """Let everything that can be repaired be tried, also what could not be repaired before. Answers how many."""
    standing = Difference.objects.filter(vendor_id=vendor_id, repaired_at__isnull=True, gone_at__isnull=True)
    standing.exclude(look={}).exclude(last_error="").update(last_error="")
    return repairable(vendor_id).count()


def forget(*, real_now: datetime, limit: int = 100) -> None:
    """Runs and settled differences of long ago."""
    before = real_now - KEPT
    old = Run.objects.filter(started_at__lt=before).exclude(state=State.RUNNING).order_by("started_at")
    with transaction.atomic():
        # Before what was seen and found in them.
        ids = list(old.select_for_update(skip_locked=True).values_list("pk", flat=True)[:limit])
        Run.objects.filter(pk__in=ids).delete()
    settled = Difference.objects.filter(found_at__lt=before).exclude(repaired_at__isnull=True, gone_at__isnull=True)
    Difference.objects.filter(pk__in=list(settled.values_list("pk", flat=True)[: limit * 10])).delete()
