"""The sidebar, and everything else that surrounds a screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from billing_portal.accounts.roles import Permission
from billing_portal.portal.access import OperatorRequest, current_membership, may, memberships_of
from billing_portal.portal.bounded import Count, count_each
from billing_portal.portal.invoice_filters import needing_attention
from billing_portal.portal.notices import troubles_of
from customers.vendor import Vendor


@dataclass(frozen=True)
class Item:
    """``area`` is the screen name that marks the item as the one we are in."""

    title: str
    icon: str
    area: str

    @property
    def link(self) -> str:
        return reverse(f"portal:{self.area}")


GROUPS: Sequence[tuple[str, Sequence[Item]]] = (
    ("Overview", [Item("Dashboard", "space_dashboard", "dashboard")]),
    (
        "Billing",
        [
            Item("Invoices", "receipt_long", "invoices"),
            Item("Next run", "event_upcoming", "next_run"),
            Item("Dunning", "alarm", "dunning"),
            Item("Customers", "groups", "customers"),
            Item("Payments", "payments", "payments"),
            Item("Subscriptions", "autorenew", "subscriptions"),
        ],
    ),
    (
        "Catalog",
        [
            Item("Price plans", "sell", "price_plans"),
            Item("Coupons", "confirmation_number", "coupons"),
            Item("Meters", "speed", "meters"),
            Item("Unattributed usage", "help_center", "unattributed"),
        ],
    ),
    (
        "Settings",
        [Item("Invoicing & Payments", "tune", "billing_settings")],
    ),
    (
        "System",
        [
            Item("Scheduled work", "event_repeat", "scheduled"),
            Item("Audit trail", "history", "audit"),
            Item("Test clock", "schedule", "test_clock"),
            Item("Incoming Stripe events", "move_to_inbox", "stripe_events"),
            Item("Reconciliation", "balance", "reconciliation"),
            Item("Webhooks", "webhook", "webhooks"),
            Item("API keys", "key", "api_keys"),
            Item("Operators", "manage_accounts", "operators"),
        ],
    ),
)


def show(
    request: OperatorRequest,
    template: str,
    context: dict[str, Any],
    *,
    title: str,
    area: str,
    status: int = 200,
) -> HttpResponse:
    """A screen: its template inside the skin, with what every screen needs."""
    request.area = area  # type: ignore[attr-defined]
    return render(request, template, {**surroundings(request), "title": title, **context}, status=status)


def surroundings(request: OperatorRequest) -> dict[str, Any]:
    """unfold's context holds no sidebar for people who are not staff, so it is filled in here."""
    shell = {**admin.site.each_context(request), "has_permission": True}
    return {
        **shell,
        "sidebar_navigation": admin.site.get_sidebar_list(request),  # type: ignore[attr-defined]
        "vendor": request.vendor,
        "role": request.role,
        "memberships": request.memberships,
        "now": request.now,
        "real_now": request.real_now,
        "can": {permission.value: may(request, permission) for permission in Permission},
    }


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """Named in ``settings.UNFOLD``: the portal's screens, then, for superusers, the tables behind them."""
    groups = _portal_groups(request) if request.user.is_authenticated and memberships_of(request) else []
    return [*groups, *_admin_groups(request)]


def _portal_groups(request: HttpRequest) -> list[dict[str, Any]]:
    vendor = current_membership(request).vendor
    waiting = count_each(vendor, {"invoices": needing_attention(vendor), **troubles_of(vendor)})
    groups = []
    for title, items in items_for(vendor):
        groups.append({"title": title, "items": [_entry(request, item, waiting) for item in items]})
    return groups


def items_for(vendor: Vendor) -> list[tuple[str, list[Item]]]:
    """The screens by their group; only a test vendor has a clock to move."""
    return [(title, [item for item in items if item.area != "test_clock" or vendor.is_test]) for title, items in GROUPS]


def _entry(request: HttpRequest, item: Item, waiting: Mapping[str, Count]) -> dict[str, Any]:
    entry = {
        "title": item.title,
        "icon": item.icon,
        "link": item.link,
        "active": getattr(request, "area", "") == item.area,
    }
    count = waiting[item.area].value if item.area in waiting else 0
    if count:
        entry |= {"badge": str(count) if count < 100 else "99+", "badge_variant": "danger"}
    return entry


def _admin_groups(request: HttpRequest) -> list[dict[str, Any]]:
    if not request.user.is_active or not getattr(request.user, "is_superuser", False):
        return []
    index = {"title": "All tables", "icon": "database", "link": reverse("admin:index")}
    active = request.path.startswith(index["link"])
    return [{"title": "Administration", "separator": True, "items": [{**index, "active": active}]}]
