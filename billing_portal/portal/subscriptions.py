"""Subscriptions: who is on which plan, since when and until when."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.db.models import F, Q
from django.http import HttpResponse

from billing_portal.portal.access import OperatorRequest, screen
from billing_portal.portal.keyset import newest_first
from billing_portal.portal.navigation import show
from invoicing.subscriptions.models import Subscription

TABS = (("", "Running"), ("trial", "In trial"), ("ending", "Ending"), ("to-come", "To come"), ("ended", "Ended"))


@screen
def subscription_list(request: OperatorRequest) -> HttpResponse:
    state, text = request.GET.get("state", ""), request.GET.get("q", "").strip()
    questions = _questions(request.now)
    state = state if state in questions else ""
    rows = Subscription.objects.of(request.vendor).filter(questions[state])
    if text:
        named = Q(customer__name__istartswith=text) | Q(customer__display_name__icontains=text)
        rows = rows.filter(named | Q(price_plan__name=text))
    page = newest_first(
        rows.select_related("customer", "price_plan"),
        "effective_at",
        before=request.GET.get("before", ""),
        after=request.GET.get("after", ""),
    )
    context = {"page": page, "tabs": TABS, "state": state, "search": text}
    return show(request, "portal/catalog/subscriptions.html", context, title="Subscriptions", area="subscriptions")


def _questions(now: datetime) -> Mapping[str, Q]:
    """Those that were called off before they began are in none."""
    begun, lasting = Q(effective_at__lte=now), Q(expired_at__isnull=True) | Q(expired_at__gt=now)
    return {
        "": begun & lasting,
        "trial": begun & lasting & Q(trial_ends_at__gt=now),
        "ending": begun & Q(expired_at__gt=now),
        "to-come": Q(effective_at__gt=now) & (Q(expired_at__isnull=True) | Q(expired_at__gt=F("effective_at"))),
        "ended": Q(expired_at__lte=now, expired_at__gt=F("effective_at")),
    }
