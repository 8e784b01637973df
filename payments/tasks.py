"""What Celery runs for the payments. Here, at the edge, is where the time is asked."""

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from payments.reconcile import poller, repair, run, stuck
from payments.stripe import customer_sync, customers, inbox, notices, probing, processing, tally

BATCH, MOST_BATCHES = 1000, 50
PAGES_A_TURN, REPAIRS_A_TURN = 5, 20


@shared_task
def process_event(event_pk: int) -> None:
    """Handle a stored event, and what comes in for the same object meanwhile."""
    while processing.process(event_pk, real_now=timezone.now()):
        pass


@shared_task
def hand_out_events() -> None:
    """After each event that came in: one task an object, so that a burst is answered by one look at each."""
    inbox.ARRIVALS.answered()
    while found := processing.hand_out(real_now=timezone.now()):
        for event_pk in found:
            process_event.delay(event_pk)


@shared_task
def sweep() -> None:
    """Everything that was never picked up, or whose pause is over. Safe to run twice and to miss."""
    for event_pk in processing.sweep(real_now=timezone.now()):
        process_event.delay(event_pk)
    customers.retry_pending(real_now=timezone.now())
    if customer_sync.anything_to_send(timezone.now()):
        sync_customers.delay()
    notices.send_notices()


@shared_task
def sync_customers() -> None:
    """After an edit, and from the sweep: Stripe gets the newest state of each customer that waits."""
    while customer_sync.send_waiting(real_now=timezone.now()):
        pass


@shared_task
def probe_connections() -> None:
    """Ask the accounts that were not asked for a day whether they still let us act."""
    probing.probe_due(real_now=timezone.now())


@shared_task
def forget_events() -> None:
    """Events that were dealt with, after thirty days. What is left of a large heap is for the next time."""
    real_now = timezone.now()
    for _ in range(MOST_BATCHES):
        if processing.prune(real_now=real_now, batch=BATCH) < BATCH:
            break
    tally.forget(before=real_now - processing.KEPT)
    stuck.forget()
    run.forget(real_now=real_now)


@shared_task
def poll_events() -> None:
    """Look for events that never arrived, one account after the other or side by side."""
    for connection_pk in poller.accounts():
        poll_account.delay(connection_pk)


@shared_task
def poll_account(connection_pk: int) -> None:
    if poller.poll(connection_pk, real_now=timezone.now()):
        inbox.ARRIVALS.give(hand_out_events)


@shared_task
def ask_for_stuck() -> None:
    """Ask Stripe for what stays in a state that ought to end."""
    real_now = timezone.now()
    stuck.notice(real_now=real_now)
    stuck.ask(real_now=real_now)


@shared_task
def reconcile() -> None:
    """The nightly comparison of every account with ours."""
    for connection in run.connections():
        begun = run.start(connection, by="Schedule", real_now=timezone.now(), repairs=settings.RECONCILE_REPAIRS)
        continue_run.delay(begun.pk)


@shared_task
def continue_runs() -> None:
    """Comparisons that were left behind, or whose pause is over."""
    for run_pk in run.waiting(real_now=timezone.now()):
        continue_run.delay(run_pk)


@shared_task
def continue_run(run_pk: int) -> None:
    """Some pages, then others have their turn with the worker."""
    present = run.drive(run_pk, clock=timezone.now, most_pages=PAGES_A_TURN)
    if present is not None and present.state == present.State.RUNNING and present.claimed_until is None:
        continue_run.delay(run_pk)


@shared_task
def repair_differences(vendor_pk: int) -> None:
    """Repair what stands between a vendor and Stripe, some at a time."""
    real_now = timezone.now()
    for difference in run.repairable(vendor_pk)[:REPAIRS_A_TURN]:
        repair.repair(difference, real_now=real_now)
    if run.repairable(vendor_pk).exists():
        repair_differences.delay(vendor_pk)
