"""Stripe's published test payment methods, and what each of them does."""

from dataclasses import dataclass

from payments.sandbox.errors import JSON

NEVER_AGAIN = "do_not_try_again"


@dataclass(frozen=True)
class Decline:
    code: str
    decline_code: str
    message: str
    advice: str = "try_again_later"


GENERIC = Decline("card_declined", "generic_decline", "Your card was declined.")
INSUFFICIENT = Decline("card_declined", "insufficient_funds", "Your card has insufficient funds.")
LOST = Decline("card_declined", "lost_card", "Your card was declined.", NEVER_AGAIN)
STOLEN = Decline("card_declined", "stolen_card", "Your card was declined.", NEVER_AGAIN)
EXPIRED = Decline("expired_card", "expired_card", "Your card has expired.", "confirm_card_data")
BAD_CVC = Decline("incorrect_cvc", "incorrect_cvc", "Your card's security code is incorrect.", "confirm_card_data")
PROCESSING = Decline(
    "processing_error",
    "processing_error",
    "An error occurred while processing your card. Try again in a little bit.",
)
AUTHENTICATION = Decline(
    "authentication_required",
    "authentication_required",
    "Your card was declined. This transaction requires authentication.",
)
NOT_AUTHENTICATED = Decline(
    "payment_intent_authentication_failure",
    "authentication_required",
    "The provided PaymentMethod has failed authentication.",
)


@dataclass(frozen=True)
class TestCard:
    """``declines_attach``: refused when it is saved; ``declines_charge``: when it is charged;
    ``authentication``: a charge without the customer present needs them to confirm it;
    ``asks_on_setup``: saving it needs them too, and ``setup_frees`` later charges."""

    last4: str
    brand: str = "visa"
    declines_attach: Decline | None = None
    declines_charge: Decline | None = None
    authentication: bool = False
    asks_on_setup: bool = False
    setup_frees: bool = False
    refund: str = "succeeded"
    dispute: str = ""


def _declined(last4: str, decline: Decline) -> TestCard:
    return TestCard(last4, declines_attach=decline, declines_charge=decline)


CARDS = {
    "pm_card_visa": TestCard("4242"),
    "pm_card_visa_debit": TestCard("5556"),
    "pm_card_mastercard": TestCard("4444", "mastercard"),
    "pm_card_amex": TestCard("8431", "amex"),
    "pm_card_discover": TestCard("9424", "discover"),
    "pm_card_us": TestCard("4242"),
    "pm_card_visa_chargeDeclined": _declined("0002", GENERIC),
    "pm_card_chargeDeclined": _declined("0002", GENERIC),
    "pm_card_visa_chargeDeclinedInsufficientFunds": _declined("9995", INSUFFICIENT),
    "pm_card_chargeDeclinedInsufficientFunds": _declined("9995", INSUFFICIENT),
    "pm_card_visa_chargeDeclinedLostCard": _declined("9987", LOST),
    "pm_card_visa_chargeDeclinedStolenCard": _declined("9979", STOLEN),
    "pm_card_chargeDeclinedExpiredCard": _declined("0069", EXPIRED),
    "pm_card_chargeDeclinedIncorrectCvc": _declined("0127", BAD_CVC),
    "pm_card_chargeDeclinedProcessingError": _declined("0119", PROCESSING),
    "pm_card_chargeCustomerFail": TestCard("0341", declines_charge=GENERIC),
    "pm_card_authenticationRequiredOnSetup": TestCard(
        "3155", authentication=True, asks_on_setup=True, setup_frees=True
    ),
    "pm_card_authenticationRequired": TestCard("3184", authentication=True, asks_on_setup=True),
    "pm_card_authenticationRequiredSetupForOffSession": TestCard("0446"),
    "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds": TestCard(
        "3178", declines_charge=INSUFFICIENT, authentication=True, asks_on_setup=True
    ),
    "pm_card_pendingRefund": TestCard("7726", refund="pending"),
    "pm_card_refundFail": TestCard("5126", refund="failed"),
    "pm_card_bypassPending": TestCard("0077"),
    "pm_card_createDispute": TestCard("0259", dispute="fraudulent"),
    "pm_card_createDisputeProductNotReceived": TestCard("2685", dispute="product_not_received"),
    "pm_card_createDisputeInquiry": TestCard("1976", dispute="inquiry"),
}


def error_fields(decline: Decline) -> JSON:
    return {
        "code": decline.code,
        "decline_code": decline.decline_code,
        "advice_code": decline.advice,
        "message": decline.message,
        "type": "card_error",
    }
