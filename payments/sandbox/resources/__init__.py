"""One file per kind of object: its endpoints, their parameters, and what they do."""

from importlib import import_module

MODULES = (
    "accounts",
    # Before customers: "search" is no customer's id.
    "customer_search",
    "customers",
    "customer_balance",
    "sources",
    "payment_methods",
    "invoices",
    "invoice_actions",
    "invoice_lines",
    "invoice_payments",
    "payment_intents",
    "setup_intents",
    "checkout_sessions",
    "portal_sessions",
    "charges",
    "refunds",
    "credit_notes",
    "disputes",
    "events",
    "webhook_endpoints",
    "tax_rates",
    "test_clocks",
)


def load() -> None:
    """Fill the table of endpoints and of scheduled work."""
    for name in MODULES:
        import_module(f"payments.sandbox.resources.{name}")
