"""Which declines may be tried again by itself."""

import pytest

from invoicing.gateways import Retry
from payments.sandbox.cards import CARDS
from payments.stripe.declines import retry_after, retry_after_charge, retry_after_error

NEVER = ("lost_card", "stolen_card", "pickup_card", "revocation_of_authorization", "incorrect_number", "fraudulent")
AGAIN = ("insufficient_funds", "do_not_honor", "generic_decline", "expired_card", "processing_error", "brand_new_code")
IN_PERSON = ("authentication_required", "authentication_not_handled")


@pytest.mark.parametrize(
    ("decline", "wanted"),
    [*((c, Retry.NEVER) for c in NEVER), *((c, Retry.AGAIN) for c in AGAIN), *((c, Retry.CUSTOMER) for c in IN_PERSON)],
)
def test_the_bank_s_reason(decline: str, wanted: Retry) -> None:
    assert retry_after("card_declined", decline) == wanted
    assert retry_after_error({"code": "card_declined", "decline_code": decline, "advice_code": None}) == wanted
    charge = {"failure_code": "card_declined", "outcome": {"reason": decline, "network_advice_code": None}}
    assert retry_after_charge(charge) == wanted


def test_the_strictest_word_counts() -> None:
    assert retry_after("card_declined", "generic_decline", "do_not_try_again") == Retry.NEVER
    assert retry_after("card_declined", "insufficient_funds", "try_again_later", "03") == Retry.NEVER
    assert retry_after("card_declined", "insufficient_funds", "", "24") == Retry.AGAIN
    assert retry_after("authentication_required", "", "do_not_try_again") == Retry.NEVER


def test_a_charge_without_an_outcome() -> None:
    assert retry_after_charge({"failure_code": "expired_card", "outcome": None}) == Retry.AGAIN


def test_the_code_alone_is_enough() -> None:
    assert retry_after("authentication_required") == Retry.CUSTOMER
    assert retry_after("incorrect_number") == Retry.NEVER


def test_each_published_test_card_that_is_lost_or_stolen_is_left_alone() -> None:
    declines = {card.last4: card.declines_charge for card in CARDS.values() if card.declines_charge}
    never = {last4 for last4, d in declines.items() if retry_after(d.code, d.decline_code, d.advice) == Retry.NEVER}
    assert never == {"9987", "9979"}
