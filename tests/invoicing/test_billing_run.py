"""A billing run: how far it is, its brake, and the customer that cannot be billed and delays nobody."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.utils import timezone

from customers.billing_pause import pause_billing, resume_billing
from customers.due import due_at
from customers.errors import Refused
from customers.models import Event, Vendor
from customers.settings.policy import policy_for
from invoicing.invoices import advance, generation
from invoicing.invoices.billing_run import Stage, as_last_counted, billing_run
from invoicing.invoices.reminders import remind_due
from invoicing.invoices.schedule import next_step
from invoicing.invoices.snapshot import snapshot_of
from invoicing.invoices.states import InvoiceAction
from invoicing.models import BillingCycle, Invoice
from invoicing.subscriptions.advance import end_due_cycles
from tests.factories import InvoiceFactory
from tests.world import OPERATOR, World, utc

WHY = "Prices of March are being checked"

pytestmark = pytest.mark.django_db


class Run:
    """Six customers whose month is over, and nobody who has billed it yet."""

    def __init__(self) -> None:
        self.world = World(utc(2026, 3, 1), name="northwind")
        self.vendor = self.world.vendor
        plan = self.world.plan()
        for n in range(6):
            self.world.subscribe(self.world.customer(f"customer-{n}"), plan)
        Vendor.objects.update(clock_offset=utc(2026, 4, 9) - timezone.now())
        self.vendor.refresh_from_db()
        self.handed: list[int] = []

    def tick(self) -> None:
        due = due_at(self.vendor, self.world.now)
        advance.advance(due, real_now=timezone.now(), hand_over=lambda pk, token: self.handed.append(pk))

    def issue(self) -> None:
        """Whatever is generated is due for issuing, and is issued."""
        self.tick()
        Invoice.objects.update(next_action_at=self.world.now - timedelta(minutes=1))
        due = due_at(self.vendor, self.world.now)
        claimed: list[tuple[int, uuid.UUID]] = []
        advance.advance(due, real_now=timezone.now(), hand_over=lambda pk, token: claimed.append((pk, token)))
        for pk, token in claimed:
            advance.perform(pk, token, real_now=timezone.now())

    def pause(self) -> None:
        self.vendor = pause_billing(self.vendor, actor=OPERATOR, reason=WHY, real_now=timezone.now())

    def resume(self) -> None:
        self.vendor = resume_billing(self.vendor, actor=OPERATOR, real_now=timezone.now())

    @property
    def stages(self) -> list[tuple[str, int, int, int]]:
        found = billing_run(self.vendor, real_now=timezone.now())
        return [(stage.name, stage.done, stage.left, stage.failing) for stage in found]


@pytest.fixture
def run() -> Run:
    return Run()


def test_paused_in_the_middle_and_resumed(run: Run) -> None:
    due = BillingCycle.objects.filter(due_at(run.vendor, run.world.now))
    end_due_cycles(due, limit=100, real_now=timezone.now())
    generation.generate_due(due, limit=2, real_now=timezone.now())
    run.pause()
    run.tick()
    assert run.stages == [("Generate", 2, 4, 0), ("Issue", 0, 2, 0), ("Try payments again", 0, 0, 0)]
    assert (Invoice.objects.count(), run.handed) == (2, [])

    run.resume()
    run.tick()
    names = Invoice.objects.order_by("customer__name").values_list("customer__name", flat=True)
    assert list(names) == [f"customer-{n}" for n in range(6)]
    assert run.stages[0] == ("Generate", 6, 0, 0)
    kinds = Event.objects.filter(kind__startswith="billing.").order_by("pk")
    assert [(event.kind, event.details["reason"]) for event in kinds] == [
        ("billing.paused", WHY),
        ("billing.resumed", WHY),
    ]


def test_what_is_due_stays_due_and_what_a_person_decided_is_done(run: Run) -> None:
    someone, past = run.world.customer("someone"), run.world.now - timedelta(hours=1)
    common: dict[str, Any] = {"customer": someone, "next_action_at": past}
    issue = InvoiceFactory(**common, next_action="issue")
    retry = InvoiceFactory(**common, status="PAYMENT_FAILED", next_action="collect")
    asked = InvoiceFactory(**common, status="INVOICE_ISSUED", next_action="void_at_gateway")
    begun = InvoiceFactory(
        **common, status="PAYMENT_FAILED", next_action="collect", action_request={"idempotency_key": str(uuid.uuid4())}
    )
    Invoice.objects.filter(pk=retry.pk).update(next_reminder_at=past)
    run.pause()
    run.tick()
    assert sorted(run.handed) == sorted([asked.pk, begun.pk])
    assert remind_due(due_at(run.vendor, run.world.now, "next_reminder_at"), real_now=timezone.now()) is False
    assert Invoice.objects.get(pk=retry.pk).next_reminder_at == past
    assert [stage[2] for stage in run.stages] == [6, 1, 1]

    told = next_step(Invoice.objects.select_related("vendor", "customer").get(pk=issue.pk), policy_for(someone))
    assert told.because.startswith(f"Waits, because olivia@example.com has paused billing: {WHY}.")
    run.resume()
    run.handed.clear()
    run.tick()
    assert set(run.handed) == {issue.pk, retry.pk}


def test_one_that_cannot_be_billed_delays_nobody(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = snapshot_of

    def poisoned(customer: Any) -> dict[str, Any]:
        if customer.name == "customer-3":
            raise RuntimeError("no such currency")
        return whole(customer)

    monkeypatch.setattr(generation, "snapshot_of", poisoned)
    run.tick()
    assert run.stages[0] == ("Generate", 5, 0, 1)
    [failing] = BillingCycle.objects.filter(failures=1)
    assert failing.last_error == "RuntimeError: no such currency"
    monkeypatch.undo()
    Vendor.objects.update(clock_offset=utc(2026, 4, 9, 2) - timezone.now())
    run.tick()
    assert run.stages[0] == ("Generate", 6, 0, 0)


def test_a_step_that_raises_is_failing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def raises(invoice: Invoice, real_now: Any) -> None:
        raise RuntimeError("no such template")

    monkeypatch.setitem(advance._STEPS, InvoiceAction.ISSUE, raises)
    run.issue()
    assert run.stages[1] == ("Issue", 0, 0, 6)
    monkeypatch.undo()
    run.issue()
    assert run.stages[1] == ("Issue", 6, 0, 0)


def test_what_is_kept_here_is_done(run: Run) -> None:
    run.world.settings(should_send_invoice_to_customers=False)
    run.issue()
    assert not Invoice.objects.filter(issued_at__isnull=False).exists()
    assert run.stages[1] == ("Issue", 6, 0, 0)


def test_those_who_look_again_are_told_what_was_counted_last(run: Run, django_assert_num_queries: Any) -> None:
    cache.delete(f"billing-run/{run.vendor.pk}")
    counted = as_last_counted(run.vendor, real_now=timezone.now())
    with django_assert_num_queries(0):
        assert as_last_counted(run.vendor, real_now=timezone.now()) == counted
    assert counted[0].left == 6
    cache.delete(f"billing-run/{run.vendor.pk}")


def test_how_fast_it_goes_and_how_long_it_takes() -> None:
    stage = Stage("Issue", done=300, left=900, failing=2, per_minute=60.0)
    assert (stage.percent, stage.minutes_left) == (25, 15.0)
    nearly = Stage("Issue", done=99_999, left=1, failing=0, per_minute=None)
    assert (nearly.percent, nearly.minutes_left) == (99, None)
    assert Stage("Issue", done=0, left=0, failing=0, per_minute=None).percent == 100


def test_the_rate_is_that_of_the_newest_facts(run: Run, django_assert_num_queries: Any) -> None:
    run.tick()
    with django_assert_num_queries(7):
        generate, *_ = billing_run(run.vendor, real_now=timezone.now())
    assert generate.per_minute is not None
    assert generate.per_minute >= 6 / 5
    Event.objects.update(created_at=timezone.now() - timedelta(minutes=6))
    assert billing_run(run.vendor, real_now=timezone.now())[0].per_minute is None


def test_only_with_a_reason_and_only_once(run: Run) -> None:
    with pytest.raises(Refused, match="Say why"):
        pause_billing(run.vendor, actor=OPERATOR, reason="  ", real_now=timezone.now())
    with pytest.raises(Refused, match="not paused"):
        run.resume()
    run.pause()
    with pytest.raises(Refused, match="paused already, by olivia@example.com: Prices"):
        run.pause()


def test_on_the_command_line(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("billing_run", "northwind", "--pause", WHY)
    shown = capsys.readouterr().out
    assert f"on the command line: {WHY}" in shown
    assert "Generate            [..............................]   0 %  6 left, 0 generated in 24 hours" in shown
    call_command("billing_run", "northwind", "--resume")
    run.tick()
    capsys.readouterr()
    Invoice.objects.update(next_action_at=None)
    call_command("billing_run", "northwind", "--watch")
    assert "[##############################] 100 %  0 left, 6 generated in 24 hours" in capsys.readouterr().out
    with pytest.raises(CommandError, match="There is no vendor nobody"):
        call_command("billing_run", "nobody")
