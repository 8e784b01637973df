"""The shop of the Stripe tests; here its webhooks are dropped unless a test delivers them."""

from tests.payments.stripe.conftest import account, shop

__all__ = ["account", "shop"]
