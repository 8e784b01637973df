"""Which declines are final, told alike from a charge and from an error."""

from __future__ import annotations

from typing import Any

import pytest

from payments.sandbox.cards import CARDS
from payments.stripe.declines import charge_is_final, error_is_final, is_final


@pytest.mark.parametrize(
    ("said", "final"),
    [
        ({"code": "card_declined", "decline_code": "insufficient_funds", "advice_code": "try_again_later"}, False),
        ({"code": "card_declined", "decline_code": "generic_decline"}, False),
        ({"code": "processing_error"}, False),
        ({"code": "expired_card", "decline_code": "expired_card", "advice_code": "confirm_card_data"}, False),
        ({"code": "card_declined", "decline_code": "stolen_card"}, True),
        ({"code": "card_declined", "decline_code": "lost_card"}, True),
        ({"code": "authentication_required"}, True),
        ({"code": "card_declined", "decline_code": "do_not_honor", "advice_code": "do_not_try_again"}, True),
        ({}, False),
    ],
)
def test_declines(said: dict[str, str], final: bool) -> None:
    assert is_final(**said) is final
    assert error_is_final(said) is final
    assert charge_is_final(_charge(said)) is final
    assert not charge_is_final({**_charge(said), "status": "succeeded"})


def _charge(said: dict[str, str]) -> dict[str, Any]:
    outcome = {"reason": said.get("decline_code"), "advice_code": said.get("advice_code")}
    return {"status": "failed", "failure_code": said.get("code"), "outcome": outcome}


def test_the_test_cards_that_must_not_be_tried_again() -> None:
    declines = {name: card.declines_attach or card.declines_charge for name, card in CARDS.items()}
    final = {
        name
        for name, d in declines.items()
        if d and is_final(code=d.code, decline_code=d.decline_code, advice_code=d.advice)
    }
    assert final == {"pm_card_visa_chargeDeclinedLostCard", "pm_card_visa_chargeDeclinedStolenCard"}
