"""Where a thing of Stripe's is to be seen in Stripe's own dashboard. What else speaks Stripe's language, such as the
sandbox, has none."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from django.conf import settings

DASHBOARD = "https://dashboard.stripe.com"
PAGES = {"in_": "invoices", "cus_": "customers", "pi_": "payments", "ch_": "payments", "py_": "payments",
         "du_": "disputes", "dp_": "disputes"}  # fmt: skip


def dashboard_link(external_id: str, reference: str) -> str:
    """``reference`` names the account as an invoice remembers it: account/mode/vendor. Empty where there is no page."""
    page = next((page for prefix, page in PAGES.items() if external_id.startswith(prefix)), "")
    account, _, rest = reference.partition("/")
    if not page or not account or not _is_stripe():
        return ""
    test = "test/" if rest.startswith("test") else ""
    return f"{DASHBOARD}/{quote(account)}/{test}{page}/{quote(external_id)}"


def _is_stripe() -> bool:
    return (urlsplit(settings.STRIPE_API_BASE).hostname or "").endswith("stripe.com")
