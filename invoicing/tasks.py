"""Celery's way in: three lines a task, no logic."""

import uuid

from celery import shared_task
from django.utils import timezone

from customers.customer import Customer
from customers.due import due_everywhere
from customers.settings.policy import policy_for, vendor_policy
from customers.vendor import Vendor
from invoicing.invoices import advance, coming, logos, mailing, past_due, reminders
from invoicing.subscriptions import usage_limits
from invoicing.usage import folding, partitions


@shared_task
def advance_due() -> None:
    """Beat: whatever is due, for every vendor whose clock stands or runs."""
    real_now = timezone.now()
    for due in due_everywhere(real_now):
        advance.advance(due, real_now=real_now, hand_over=hand_over)
    for due in due_everywhere(real_now, "due_date"):
        while past_due.tell_past_due(due, real_now=real_now):
            pass


@shared_task
def perform_step(invoice_id: int, token: str) -> None:
    advance.perform(invoice_id, uuid.UUID(token), real_now=timezone.now())


def hand_over(invoice_id: int, token: uuid.UUID) -> None:
    perform_step.delay(invoice_id, str(token))


@shared_task
def write_emails() -> None:
    """Beat: queue the reminders that are due, then hand out every e-mail whose time has come."""
    real_now = timezone.now()
    for due in due_everywhere(real_now, "next_reminder_at"):
        while reminders.remind_due(due, real_now=real_now):
            pass
    for due in due_everywhere(real_now):
        mailing.hand_out(due, real_now=real_now, hand_over=hand_over_email)


@shared_task
def send_email(email_id: int, token: str) -> None:
    mailing.send(email_id, uuid.UUID(token), real_now=timezone.now())


def hand_over_email(email_id: int, token: uuid.UUID) -> None:
    send_email.delay(email_id, str(token))


@shared_task
def fold_usage() -> None:
    """Beat: what the days come to whose measurements were touched, and whether that is near a limit."""
    folding.fold_usage()
    _check_limits()


@shared_task
def check_all_limits() -> None:
    """Beat: hold everybody's usage against the limits, since a level comes to more by time alone."""
    usage_limits.note_all()
    _check_limits()


def _check_limits() -> None:
    while usage_limits.check_limits(real_now=timezone.now()):
        pass


@shared_task
def make_months() -> None:
    """Beat: the months that measurements will be written to, so that nobody waits for them to be made."""
    partitions.make_ahead(timezone.now())


@shared_task
def fetch_logo(vendor_id: int, customer_id: int) -> None:
    """Billing settings were saved: the vendor's (``customer_id`` is 0), or one customer's."""
    vendor = Vendor.objects.get(pk=vendor_id)
    customer = Customer.objects.of(vendor).filter(pk=customer_id).select_related("vendor").first()
    policy = policy_for(customer) if customer else vendor_policy(vendor)
    logos.refresh(vendor, policy, real_now=timezone.now())


@shared_task
def work_out_coming_bills() -> None:
    """Beat: what every vendor's coming run comes to."""
    for pk in Vendor.objects.order_by("pk").values_list("pk", flat=True):
        work_out_run.delay(pk)


@shared_task
def work_out_run(vendor_id: int, after: int = 0) -> None:
    """A chunk, and then the next one: a worker is never busy with it for long."""
    last = coming.work_out(Vendor.objects.get(pk=vendor_id), after=after, real_now=timezone.now())
    if last is not None:
        work_out_run.delay(vendor_id, last)
