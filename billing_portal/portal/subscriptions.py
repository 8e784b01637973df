"""Subscriptions: who is on which plan, since when and until when."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.db.models import F, Q, QuerySet
from django.http import HttpResponse, QueryDict

from billing_portal.portal.access import OperatorRequest, screen
from billing_portal.portal.keyset import newest_first
from billing_portal.portal.navigation import show
from billing_portal.portal.searching import some_customers
from invoicing.catalog.models import PricePlan
from invoicing.subscriptions.models import Subscription

TABS = (("", "Running"), ("trial", "In trial"), ("ending", "Ending"), ("to-come", "To come"), ("ended", "Ended"))


@screen
def subscription_list(request: OperatorRequest) -> HttpResponse:
    state = request.GET.get("state", "")
    rows = chosen_rows(Subscription.objects.of(request.vendor), request, request.GET)
    page = newest_first(
        rows.select_related("customer", "price_plan"),
        "effective_at",
        before=request.GET.get("before", ""),
        after=request.GET.get("after", ""),
    )
    context = {"page": page, "tabs": TABS, "state": state, "search": request.GET.get("q", "").strip()}
    return show(request, "portal/catalog/subscriptions.html", context, title="Subscriptions", area="subscriptions")


def chosen_rows(rows: QuerySet[Subscription], request: OperatorRequest, asked: QueryDict) -> QuerySet[Subscription]:
    """What the list shows on its pages."""
    questions, text = _questions(request.now), asked.get("q", "").strip()
    rows = rows.filter(questions.get(asked.get("state", ""), questions[""]))
    if not text:
        return rows
    plans = PricePlan.objects.of(request.vendor).filter(name=text).values_list("pk", flat=True)
    return rows.filter(Q(customer_id__in=some_customers(request.vendor, text)) | Q(price_plan_id__in=list(plans)))


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
