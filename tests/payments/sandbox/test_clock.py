"""The account's clock, and what happens by itself on it."""

from datetime import UTC, datetime, timedelta
from threading import Thread

from django.db import connection, transaction

from payments.sandbox import clock, idempotency, schedule
from payments.sandbox.models import StoredObject
from tests.sandbox_server import SANDBOX_ONLY

pytestmark = SANDBOX_ONLY

MAY = datetime(2030, 5, 1, 12, 0, tzinfo=UTC)


def freeze(sandbox, moment: datetime) -> None:
    clock.set_clock(sandbox.account, False, frozen_at=moment, offset=timedelta(0))


def test_without_a_clock_time_is_real(stripe_sandbox):
    assert clock.now(stripe_sandbox.account, False, MAY) == MAY
    assert clock.next_due(stripe_sandbox.account, False) is None


def test_a_clock_stands_or_runs_ahead(stripe_sandbox):
    account = stripe_sandbox.account
    freeze(stripe_sandbox, MAY)
    assert clock.now(account, False, datetime(2026, 1, 1, tzinfo=UTC)) == MAY
    clock.set_clock(account, False, frozen_at=None, offset=timedelta(days=40))
    assert clock.now(account, False, MAY) == MAY + timedelta(days=40)
    assert clock.now(account, True, MAY) == MAY
    assert clock.now("acct_other", False, MAY) == MAY


def test_moving_the_clock_joins_the_callers_transaction(stripe_sandbox):
    freeze(stripe_sandbox, MAY)
    with transaction.atomic():
        freeze(stripe_sandbox, MAY + timedelta(days=1))
        transaction.set_rollback(True)
    assert clock.now(stripe_sandbox.account, False, MAY) == MAY


def test_objects_carry_the_accounts_time(stripe_sandbox, client, customer):
    freeze(stripe_sandbox, MAY)
    assert customer().created == int(MAY.timestamp())
    assert client.v1.events.list().data[0].created == int(MAY.timestamp())


def test_a_draft_that_advances_is_finalized_and_charged_after_an_hour(
    stripe_sandbox, client, customer, draft, event_types
):
    freeze(stripe_sandbox, MAY)
    invoice = draft(customer("pm_card_visa"), auto_advance=True)
    hour_later = MAY + timedelta(hours=1)
    assert invoice.automatically_finalizes_at == int(hour_later.timestamp())
    assert clock.next_due(stripe_sandbox.account, False) == hour_later
    freeze(stripe_sandbox, hour_later - timedelta(seconds=1))
    assert stripe_sandbox.settle() is False
    assert client.v1.invoices.retrieve(invoice.id).status == "draft"
    freeze(stripe_sandbox, hour_later)
    assert stripe_sandbox.settle() is False
    paid = client.v1.invoices.retrieve(invoice.id)
    assert paid.status == "paid"
    assert paid.status_transitions.finalized_at == paid.status_transitions.paid_at == int(hour_later.timestamp())
    event = client.v1.events.list({"type": "invoice.paid"}).data[0]
    assert (event.request.id, event.request.idempotency_key) == (None, None)
    assert event_types().count("invoice.finalized") == 1
    assert clock.next_due(stripe_sandbox.account, False) is None


def test_auto_advance_switched_on_later_counts_from_creation(stripe_sandbox, client, customer, draft):
    freeze(stripe_sandbox, MAY)
    invoice = draft(customer("pm_card_visa"))
    assert clock.next_due(stripe_sandbox.account, False) is None
    freeze(stripe_sandbox, MAY + timedelta(minutes=20))
    client.v1.invoices.update(invoice.id, {"auto_advance": True})
    assert clock.next_due(stripe_sandbox.account, False) == MAY + timedelta(hours=1)
    client.v1.invoices.update(invoice.id, {"auto_advance": False})
    assert clock.next_due(stripe_sandbox.account, False) is None


def test_a_given_moment_replaces_the_hour(stripe_sandbox, customer, draft):
    freeze(stripe_sandbox, MAY)
    moment = MAY + timedelta(days=3)
    draft(customer(), auto_advance=True, automatically_finalizes_at=int(moment.timestamp()))
    assert clock.next_due(stripe_sandbox.account, False) == moment


def test_an_invoice_to_be_sent_is_sent_when_it_finalizes(stripe_sandbox, client, customer, draft, event_types):
    freeze(stripe_sandbox, MAY)
    sending = {"collection_method": "send_invoice", "days_until_due": 30}
    invoice = draft(customer(), auto_advance=True, **sending)
    later = MAY + timedelta(hours=1)
    freeze(stripe_sandbox, later)
    stripe_sandbox.settle()
    found = client.v1.invoices.retrieve(invoice.id)
    assert (found.status, found.attempt_count) == ("open", 0)
    assert found.due_date == int((later + timedelta(days=30)).timestamp())
    assert event_types().count("invoice.sent") == 1


def test_finalized_by_hand_with_auto_advance_it_is_charged_right_after(stripe_sandbox, client, customer, draft):
    invoice = draft(customer("pm_card_visa"))
    final = client.v1.invoices.finalize_invoice(invoice.id, {"auto_advance": True})
    assert final.status == "open"
    stripe_sandbox.settle()
    assert client.v1.invoices.retrieve(invoice.id).status == "paid"


def test_without_a_card_the_automatic_payment_fails(stripe_sandbox, client, customer, draft, event_types):
    invoice = draft(customer())
    client.v1.invoices.finalize_invoice(invoice.id, {"auto_advance": True})
    stripe_sandbox.settle()
    found = client.v1.invoices.retrieve(invoice.id)
    assert (found.status, found.attempt_count, found.attempted) == ("open", 1, True)
    assert event_types()[-1] == "invoice.payment_failed"


def test_a_finalization_that_fails_leaves_a_draft_with_the_reason(stripe_sandbox, client, customer, draft, event_types):
    freeze(stripe_sandbox, MAY)
    owner = customer()
    sending = {"collection_method": "send_invoice", "days_until_due": 30}
    invoice = draft(owner, auto_advance=True, **sending)
    client.v1.customers.update(owner.id, {"email": ""})
    freeze(stripe_sandbox, MAY + timedelta(hours=1))
    assert stripe_sandbox.settle() is False
    found = client.v1.invoices.retrieve(invoice.id)
    assert found.status == "draft"
    assert "email" in found.last_finalization_error.message
    assert event_types()[-1] == "invoice.finalization_failed"


def test_settling_one_account_leaves_the_others(stripe_sandbox, client, customer, draft):
    invoice = draft(customer("pm_card_visa"), auto_advance=True)
    freeze(stripe_sandbox, datetime.fromtimestamp(invoice.automatically_finalizes_at, UTC))
    assert clock.settle("acct_other", False, MAY) is False
    assert client.v1.invoices.retrieve(invoice.id).status == "draft"


def test_the_pump_serves_every_account(stripe_sandbox, client, customer, draft):
    invoice = draft(customer("pm_card_visa"), auto_advance=True)
    stripe_sandbox.run_due(datetime.fromtimestamp(invoice.automatically_finalizes_at + 1, UTC))
    assert client.v1.invoices.retrieve(invoice.id).status == "paid"


def test_settling_from_two_processes_does_everything_once(stripe_sandbox, client, customer, draft):
    owner = customer("pm_card_visa")
    made = [draft(owner, auto_advance=True) for _ in range(6)]
    freeze(stripe_sandbox, datetime.fromtimestamp(made[-1].automatically_finalizes_at, UTC))

    def settle() -> None:
        while stripe_sandbox.settle():
            pass
        connection.close()

    threads = [Thread(target=settle) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {client.v1.invoices.retrieve(i.id).status for i in made} == {"paid"}
    assert len(client.v1.charges.list().data) == 6


def test_a_request_in_flight_keeps_it_unsettled(stripe_sandbox):
    with transaction.atomic():
        idempotency.mark_busy(stripe_sandbox.account, False)
        unsettled: list[bool] = []

        def ask() -> None:
            unsettled.append(stripe_sandbox.settle())
            connection.close()

        asking = Thread(target=ask)
        asking.start()
        asking.join()
    assert unsettled == [True]
    assert stripe_sandbox.settle() is False


def test_work_that_raises_stays_due_and_holds_up_nothing_else(stripe_sandbox, client, customer, draft, monkeypatch):
    owner = customer("pm_card_visa")
    broken, sound = draft(owner, auto_advance=True), draft(owner, auto_advance=True)
    advance = schedule.HANDLERS["invoice"]

    def stumble(scope, row: StoredObject) -> None:
        if row.stripe_id == broken.id:
            raise RuntimeError("power cut")
        advance(scope, row)

    monkeypatch.setitem(schedule.HANDLERS, "invoice", stumble)
    freeze(stripe_sandbox, datetime.fromtimestamp(sound.automatically_finalizes_at, UTC))
    assert stripe_sandbox.settle() is True
    assert client.v1.invoices.retrieve(sound.id).status == "paid"
    monkeypatch.undo()
    assert stripe_sandbox.settle() is False
    assert client.v1.invoices.retrieve(broken.id).status == "paid"
