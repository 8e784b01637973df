"""django-unfold: the operator portal's skin."""

from typing import Any

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Billing Portal",
    "SITE_HEADER": "Billing Portal",
    "SITE_SYMBOL": "receipt_long",
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
}
