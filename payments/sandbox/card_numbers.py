"""Stripe's published test numbers, as people type them on a page, and the test methods they stand for."""

from dataclasses import dataclass
from datetime import date

from payments.sandbox.cards import BAD_CVC, Decline


@dataclass(frozen=True)
class Numbered:
    """``method`` names the entry of ``cards.CARDS`` that behaves like this number."""

    number: str
    method: str
    says: str

    @property
    def shown(self) -> str:
        """In groups, as it stands on a card."""
        if len(self.number) == 15:
            return f"{self.number[:4]} {self.number[4:10]} {self.number[10:]}"
        return " ".join(self.number[start : start + 4] for start in range(0, len(self.number), 4))


NUMBERED = (
    Numbered("4242424242424242", "pm_card_visa", "Visa; succeeds"),
    Numbered("4000056655665556", "pm_card_visa_debit", "Visa debit; succeeds"),
    Numbered("5555555555554444", "pm_card_mastercard", "Mastercard; succeeds"),
    Numbered("371449635398431", "pm_card_amex", "American Express; succeeds"),
    Numbered("6011000990139424", "pm_card_discover", "Discover; succeeds"),
    Numbered("4000000000000341", "pm_card_chargeCustomerFail", "Can be saved; every charge is declined"),
    Numbered("4000002500003155", "pm_card_authenticationRequiredOnSetup", "Asks for authentication when it is saved"),
    Numbered("4000002760003184", "pm_card_authenticationRequired", "Always asks for authentication"),
    Numbered(
        "4000003800000446",
        "pm_card_authenticationRequiredSetupForOffSession",
        "Off session it is charged without authentication",
    ),
    Numbered(
        "4000008260003178",
        "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds",
        "Asks for authentication, then has insufficient funds",
    ),
    Numbered("4000000000000002", "pm_card_visa_chargeDeclined", "Declined when it is saved"),
    Numbered("4000000000009995", "pm_card_visa_chargeDeclinedInsufficientFunds", "Insufficient funds"),
    Numbered("4000000000009987", "pm_card_visa_chargeDeclinedLostCard", "Reported lost"),
    Numbered("4000000000009979", "pm_card_visa_chargeDeclinedStolenCard", "Reported stolen"),
    Numbered("4000000000000069", "pm_card_chargeDeclinedExpiredCard", "Expired"),
    Numbered("4000000000000127", "pm_card_chargeDeclinedIncorrectCvc", "Wrong security code"),
    Numbered("4000000000000119", "pm_card_chargeDeclinedProcessingError", "Processing error"),
    Numbered("4000000000007726", "pm_card_pendingRefund", "Succeeds; refunds stay pending for a while"),
    Numbered("4000000000005126", "pm_card_refundFail", "Succeeds; refunds fail later"),
    Numbered("4000000000000259", "pm_card_createDispute", "Succeeds; then disputed as fraudulent"),
    Numbered("4000000000002685", "pm_card_createDisputeProductNotReceived", "Succeeds; disputed as not received"),
    Numbered("4000000000001976", "pm_card_createDisputeInquiry", "Succeeds; then the bank inquires"),
    Numbered("4000000000000077", "pm_card_bypassPending", "Succeeds; funds are available at once"),
)
BY_NUMBER = {card.number: card for card in NUMBERED}

NOT_A_TEST_CARD = Decline(
    "card_declined",
    "test_mode_live_card",
    "Your card was declined. Your request was in test mode, but used a non test card. For a list of valid test "
    "cards, visit: https://stripe.com/docs/testing.",
)
INCOMPLETE = Decline("incorrect_number", "", "Your card number is invalid.")
BAD_EXPIRY = Decline("invalid_expiry_year", "", "Your card's expiration date is invalid. Give it as MM / YY.")
PAST_EXPIRY = Decline("invalid_expiry_year", "", "Your card's expiration date is in the past.")


class Refusal(Exception):
    """What was typed is no card that can be saved."""

    def __init__(self, decline: Decline) -> None:
        super().__init__(decline.message)
        self.decline = decline


def recognized(number: str) -> Numbered:
    """The test card with this number; spaces and dashes do not count."""
    digits = "".join(character for character in number if character not in " -\u00a0")
    if found := BY_NUMBER.get(digits):
        return found
    plausible = digits.isascii() and digits.isdigit() and 12 <= len(digits) <= 19 and _luhn(digits)
    raise Refusal(NOT_A_TEST_CARD if plausible else INCOMPLETE)


def _luhn(digits: str) -> bool:
    doubled = [int(d) * (2 if position % 2 else 1) for position, d in enumerate(reversed(digits))]
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def expiry(text: str, today: date) -> tuple[int, int]:
    """``12 / 34`` or ``12/2034`` -> (12, 2034)."""
    month, _, year = (part.strip() for part in text.partition("/"))
    if not (_is_number(month, 2) and _is_number(year, 4) and len(year) in (2, 4) and 1 <= int(month) <= 12):
        raise Refusal(BAD_EXPIRY)
    found = (int(month), int(year) + (2000 if len(year) == 2 else 0))
    if (found[1], found[0]) < (today.year, today.month):
        raise Refusal(PAST_EXPIRY)
    return found


def check_cvc(text: str) -> None:
    if not (_is_number(text, 4) and len(text) >= 3):
        raise Refusal(BAD_CVC)


def _is_number(text: str, longest: int) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= longest
