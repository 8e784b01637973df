"""Which faults strike when is the seed's affair."""

from __future__ import annotations

from billing_portal.torture.receiver import Receiver
from billing_portal.torture.tormentor import plan
from billing_portal.torture.wounds import all_wounds
from payments.sandbox import faults, webhook_faults


def test_the_seed_plans_the_run() -> None:
    wounds = all_wounds(Receiver())
    planned = [(stroke.at, stroke.wound.name, stroke.luck) for stroke in plan(7, 1800, wounds)]
    assert planned == [(stroke.at, stroke.wound.name, stroke.luck) for stroke in plan(7, 1800, wounds)]
    assert planned != [(stroke.at, stroke.wound.name, stroke.luck) for stroke in plan(8, 1800, wounds)]
    assert planned == sorted(planned)


def test_half_an_hour_has_every_kind_of_fault() -> None:
    wounds = all_wounds(Receiver())
    planned = {stroke.wound.name for stroke in plan(1, 1800, wounds)}
    assert planned == {wound.name for wound in wounds}
    assert {f"Stripe: {kind}" for kind in faults.KINDS} | {
        f"webhook: {kind}" for kind in webhook_faults.KINDS
    } < planned
