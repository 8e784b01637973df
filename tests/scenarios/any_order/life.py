"""Lives the cases of one draw: builds their vendor and its Stripe account, lets time pass, brings all to rest."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from customers import clock
from payments import tasks
from payments.models import StripeConnection
from payments.reconcile import poller
from payments.sandbox import deliveries, webhook_faults
from payments.sandbox.ids import random_text
from payments.sandbox.models import Account, ApiKey, Connection, Fault, WebhookFault
from payments.stripe import connect
from tests.scenarios.any_order.cases import Draw
from tests.scenarios.any_order.here import Time
from tests.scenarios.any_order.people import settle_in
from tests.world import OPERATOR, World, utc

BEGIN, END = utc(2026, 3, 1), utc(2026, 4, 1)
# Long enough for every grace period, the portal's retries and Stripe's, and shorter than the next cycle.
REST = utc(2026, 4, 29)
# Real time that passes after a restart: claims run out, held-back calls and late webhooks come back.
PAUSES = (timedelta(minutes=2), timedelta(minutes=40))
AFTERWARDS = timedelta(hours=3)
ROUNDS, DRIVES = 12, 2000
# Real time that passes between two looks at a moving clock: what is held back for a moment comes back. While the clock
# stands, because somebody waits for longer, each look is twice as late as the one before.
TICK, LONGEST_TICK = timedelta(seconds=20), timedelta(minutes=5)


@dataclass(frozen=True)
class Life:
    draw: Draw
    world: World
    connection: StripeConnection

    @property
    def account(self) -> str:
        return self.connection.account_id


def live(draw: Draw, platform: str, time: Time) -> Life:
    """Begin, run to rest, start again with every claim expired, and run to rest again."""
    time.begin_again()
    webhook_faults.chance.seed(f"{draw.seed}-{draw.index}")
    life = _begin(draw, platform)
    _let_go_wrong(life)
    _move(life, time)
    for pause in PAUSES:
        time.pass_by(pause)
        _run(life)
    Fault.objects.filter(account=life.account).delete()  # the trouble ends
    time.pass_by(AFTERWARDS)
    _run(life)
    if any(webhooks.kind == "drop" for webhooks in draw.webhooks):
        poller.accounts()
        tasks.poll_account(life.connection.pk)
        _run(life)
    return life


def _begin(draw: Draw, platform: str) -> Life:
    world = World(BEGIN, currency=draw.currency)
    world.settings(**draw.settings)
    account = Account.objects.create(id=f"acct_{random_text(16)}", name=world.vendor.name, created=0)
    Connection.objects.create(platform_id=platform, account=account)
    connection = connect.attach(world.vendor, account.id, livemode=False, real_now=timezone.now())
    life = Life(draw, world, connection)
    settle_in(world, connection, draw.customers, begin=BEGIN)
    return life


def _let_go_wrong(life: Life) -> None:
    for fault in life.draw.faults:
        Fault.objects.create(account=life.account, **vars(fault))
    for webhooks in life.draw.webhooks:
        WebhookFault.objects.create(account=life.account, **vars(webhooks))


def _move(life: Life, time: Time) -> None:
    """Drive the clock until it has arrived, while real time passes."""
    vendor = life.world.vendor
    clock.move_forward(vendor, REST, actor=OPERATOR, real_now=timezone.now())
    tick, stands_at = TICK, None
    for _ in range(DRIVES):
        clock.drive(vendor.pk, real_now=timezone.now())
        vendor.refresh_from_db()
        if not vendor.clock_is_advancing:
            return
        tick = min(2 * tick, LONGEST_TICK) if vendor.clock_frozen_at == stands_at else TICK
        stands_at = vendor.clock_frozen_at
        time.pass_by(tick)
    raise AssertionError("The clock does not arrive: something stays under way for ever.")


def _run(life: Life) -> None:
    """All that beat, workers and Stripe do, until nothing is left to do at this moment."""
    for _ in range(ROUNDS):
        real_now, now = timezone.now(), life.world.now
        sent = deliveries.deliver(real_now, life.account)
        tasks.sweep()
        busy = [p.settle(life.world.vendor, now=now, real_now=real_now) for p in clock.participants()]
        if not sent and not any(busy):
            return
    raise AssertionError("It does not come to rest.")


def platform() -> str:
    """The sandbox's one platform, whose key the portal uses."""
    return ApiKey.objects.get().account_id
