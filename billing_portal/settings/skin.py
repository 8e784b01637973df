"""django-unfold: the operator portal's skin."""

from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static


def stylesheet(request: HttpRequest) -> str:
    return static("portal/portal.css")


def chart_stylesheet(request: HttpRequest) -> str:
    return static("portal/charts.css")


def catalog_stylesheet(request: HttpRequest) -> str:
    return static("portal/catalog.css")


def list_stylesheet(request: HttpRequest) -> str:
    return static("portal/lists.css")


def settings_stylesheet(request: HttpRequest) -> str:
    return static("portal/settings.css")


def icon(request: HttpRequest) -> str:
    return static("portal/icon.svg")


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Billing Portal",
    "SITE_HEADER": "Billing Portal",
    "SITE_URL": "",
    "SITE_SYMBOL": "receipt_long",
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": icon}],
    "STYLES": [stylesheet, chart_stylesheet, catalog_stylesheet, list_stylesheet, settings_stylesheet],
    "SIDEBAR": {"navigation": "billing_portal.portal.navigation.sidebar"},
    "COLORS": {
        "primary": {
            "50": "oklch(96.9% .016 293.756)",
            "100": "oklch(94.3% .029 294.588)",
            "200": "oklch(89.4% .057 293.283)",
            "300": "oklch(81.1% .111 293.571)",
            "400": "oklch(70.2% .183 293.541)",
            "500": "oklch(60.6% .25 292.717)",
            "600": "oklch(54.1% .281 293.009)",
            "700": "oklch(49.1% .27 292.581)",
            "800": "oklch(43.2% .232 292.759)",
            "900": "oklch(38% .189 293.745)",
            "950": "oklch(28.3% .141 291.089)",
        },
    },
}
