"""Objects that stay in a state that ought to end: Stripe is asked for them after ten minutes, an hour, a day.

Real time counts, from when the state was first noticed here. Where news of the object was processed
meanwhile, it has been looked at already and costs no call.

Invoices may be open in great numbers for a month. Each carries the status that it is watched for (``watched_status``),
so that an index holds those alone where this is out of step, and a look with nothing new costs the same however many
are open.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q

from customers.claims import claim, hold
from invoicing.gateways import GatewayError, GatewayUnavailable
from invoicing.invoices.charge_attempts import ChargeAttempt
from invoicing.invoices.ledger import Refund
from invoicing.invoices.models import Invoice
from invoicing.invoices.states import OPEN
from payments.reconcile.look import charge_news, invoice_news, look, refund_news
from payments.reconcile.models import Watch
from payments.stripe.connect import connection_by_reference
from payments.stripe.models import StripeEvent
from payments.stripe.news import Wait

logger = logging.getLogger(__name__)

Kind = Watch.Kind

AFTER = (timedelta(minutes=10), timedelta(hours=1), timedelta(days=1))
# Each costs a call or two: what does not fit is asked for the next time.
MOST_NOTICED, MOST_ASKED = 2000, 100
NEWS = {Kind.INVOICE: invoice_news, Kind.REFUND: refund_news, Kind.CHARGE: charge_news}


def notice(*, real_now: datetime, limit: int = MOST_NOTICED) -> int:
    """Begin to watch what has come into such a state. Answers how many."""
    return _notice_invoices(real_now, limit) + _notice_others(real_now, limit)


def _notice_invoices(real_now: datetime, limit: int) -> int:
    """Those that others hold at this moment are noticed the next time."""
    at_stripe = Invoice.objects.filter(gateway="stripe", status__in=sorted(OPEN)).exclude(external_invoice_id="")
    unwatched = at_stripe.exclude(watched_status=F("status")).order_by("pk")
    with transaction.atomic():
        locked = unwatched.select_for_update(skip_locked=True, no_key=True)
        rows = list(locked.only("vendor_id", "status", "external_invoice_id", "gateway_account")[:limit])
        if rows:
            ids = [row.pk for row in rows]
            _stop_watching(ids)
            made = (_watch(Kind.INVOICE, row, row.pk, row.status, row.external_invoice_id, real_now) for row in rows)
            Watch.objects.bulk_create(made)
            Invoice.objects.filter(pk__in=ids).update(watched_status=F("status"))
    return len(rows)


def _stop_watching(invoices: Sequence[int]) -> int:
    """Answers how many watches are gone."""
    return Watch.objects.filter(kind=Kind.INVOICE, subject_id__in=invoices).delete()[0]


def _notice_others(real_now: datetime, limit: int) -> int:
    made = [*_refunds(real_now, limit), *_charges(real_now, limit)]
    Watch.objects.bulk_create(made, ignore_conflicts=True)
    return len(made)


def _refunds(real_now: datetime, limit: int) -> Iterable[Watch]:
    watched = Watch.objects.filter(kind=Kind.REFUND, subject_id=OuterRef("pk"), state=OuterRef("state"))
    pending = Refund.objects.filter(state=Refund.State.PENDING, external_id__isnull=False)
    for row in pending.filter(~Exists(watched)).select_related("invoice").order_by("pk")[:limit]:
        yield _watch(Kind.REFUND, row.invoice, row.pk, row.state, row.external_id or "", real_now)


def _charges(real_now: datetime, limit: int) -> Iterable[Watch]:
    """Those that a bank has not decided on."""
    watched = Watch.objects.filter(kind=Kind.CHARGE, subject_id=OuterRef("pk"), state=OuterRef("state"))
    pending = ChargeAttempt.objects.filter(state=ChargeAttempt.State.PENDING).exclude(external_id="")
    for row in pending.filter(~Exists(watched)).select_related("invoice").order_by("pk")[:limit]:
        made = _watch(Kind.CHARGE, row.invoice, row.pk, row.state, row.external_id, real_now)
        made.account = row.account
        yield made


def _watch(kind: Kind, invoice: Invoice, pk: int, state: str, external_id: str, real_now: datetime) -> Watch:
    return Watch(
        vendor_id=invoice.vendor_id,
        kind=kind,
        subject_id=pk,
        state=state,
        external_id=external_id,
        account=invoice.gateway_account,
        since=real_now,
        next_at=real_now + AFTER[0],
    )


def ask(*, real_now: datetime, limit: int = MOST_ASKED) -> int:
    """Ask for those whose time has come. Answers how many calls were worth making."""
    _forget_invoices(MOST_NOTICED)
    due = Watch.objects.filter(next_at__lte=real_now).order_by("next_at", "pk")
    _, taken = claim(due, real_now=real_now, lease=settings.CLAIM_LEASE * 5, limit=limit)
    watches = list(Watch.objects.filter(pk__in=taken).order_by("next_at", "pk"))
    over = _over(watches)
    # An invoice's go with what it carries, under its lock: the next time.
    Watch.objects.filter(pk__in=over).exclude(kind=Kind.INVOICE).delete()
    heard = _heard(watches)
    asked = 0
    for watch in watches:
        if watch.pk in over:
            continue
        if watch.pk in heard:
            _next(watch, real_now)
        else:
            asked += 1
            _ask(watch, real_now)
    return asked


def forget(*, limit: int = 1000) -> int:
    """Let go of what has left its state."""
    return _forget_invoices(limit) + _forget_others(limit)


def _forget_invoices(limit: int) -> int:
    settled = Invoice.objects.exclude(status__in=sorted(OPEN)).exclude(watched_status="").order_by("pk")
    with transaction.atomic():
        locked = settled.select_for_update(skip_locked=True, no_key=True)
        ids = list(locked.values_list("pk", flat=True)[:limit])
        if not ids:
            return 0
        Invoice.objects.filter(pk__in=ids).update(watched_status="")
        return _stop_watching(ids)


def _forget_others(limit: int) -> int:
    """After the last question."""
    refund = Refund.objects.filter(pk=OuterRef("subject_id"), state=OuterRef("state"))
    charge = ChargeAttempt.objects.filter(pk=OuterRef("subject_id"), state=OuterRef("state"))
    stays = Q(kind=Kind.REFUND) & Exists(refund) | Q(kind=Kind.CHARGE) & Exists(charge)
    asked = Watch.objects.filter(~stays, kind__in=(Kind.REFUND, Kind.CHARGE), next_at__isnull=True)
    ids = list(asked.order_by("kind", "pk").values_list("pk", flat=True)[:limit])
    return Watch.objects.filter(pk__in=ids).delete()[0]


def _over(watches: Sequence[Watch]) -> set[int]:
    """Those whose subject has moved on."""
    invoices = dict(Invoice.objects.filter(pk__in=_subjects(watches, Kind.INVOICE)).values_list("pk", "status"))
    refunds = dict(Refund.objects.filter(pk__in=_subjects(watches, Kind.REFUND)).values_list("pk", "state"))
    charges = dict(ChargeAttempt.objects.filter(pk__in=_subjects(watches, Kind.CHARGE)).values_list("pk", "state"))
    present = {Kind.INVOICE: invoices, Kind.REFUND: refunds, Kind.CHARGE: charges}
    return {w.pk for w in watches if present[Kind(w.kind)].get(w.subject_id) != w.state}


def _subjects(watches: Sequence[Watch], kind: Kind) -> list[int]:
    return [watch.subject_id for watch in watches if watch.kind == kind]


def _heard(watches: Sequence[Watch]) -> set[int]:
    """Those that news came of since they were last looked at."""
    done = StripeEvent.objects.filter(
        account_id__in={w.account.partition("/")[0] for w in watches},
        object_id__in=[w.external_id for w in watches],
        state=StripeEvent.State.PROCESSED,
    )
    latest: dict[str, datetime] = {}
    for object_id, at in done.order_by("processed_at").values_list("object_id", "processed_at"):
        if at is not None:
            latest[object_id] = at
    return {w.pk for w in watches if (at := latest.get(w.external_id)) and at > (w.asked_at or w.since)}


def _ask(watch: Watch, real_now: datetime) -> None:
    connection = connection_by_reference(watch.account)
    if connection is None or not connection.is_connected:
        _next(watch, real_now, "The account is not connected any more.")
        return
    try:
        reason = look(connection, NEWS[Kind(watch.kind)](watch.external_id), real_now=real_now)
    except (GatewayUnavailable, Wait) as error:
        Watch.objects.filter(pk=watch.pk).update(last_error=str(error))
        hold(Watch, watch.pk, until=real_now + AFTER[0])
    except Exception as error:
        if not isinstance(error, GatewayError):
            logger.exception("%s could not be asked for", watch)
        _next(watch, real_now, str(error) or type(error).__name__)
    else:
        _next(watch, real_now, reason)


def _next(watch: Watch, real_now: datetime, error: str = "") -> None:
    """The next question is due at its time after ``since``; one that is late already is not asked twice."""
    asked = 1 + max(n for n, after in enumerate(AFTER) if n == 0 or watch.since + after <= real_now)
    asked = max(asked, watch.asked + 1)
    next_at = watch.since + AFTER[asked] if asked < len(AFTER) else None
    Watch.objects.filter(pk=watch.pk).update(
        asked=asked, asked_at=real_now, next_at=next_at, last_error=error, claim_token=None, claimed_until=None
    )
