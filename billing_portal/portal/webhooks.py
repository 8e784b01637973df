"""System -> Webhooks: where the vendor's own systems listen, what was delivered there, and what was answered.

An endpoint's secret is shown once, in the answer to the POST that made it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect

from billing_portal.accounts.roles import Permission
from billing_portal.portal.access import OperatorRequest, form_screen, may, screen, verb
from billing_portal.portal.forms import CODE, TEXT, WordsField, refuse
from billing_portal.portal.keyset import by_number, newest_first
from billing_portal.portal.navigation import show
from customers.errors import Conflict, Invalid
from customers.events.endpoints import (
    change_endpoint,
    delete_endpoint,
    register_endpoint,
    roll_secret,
    send_again,
    send_test,
)
from customers.events.models import PUBLIC_KINDS, DeliveryState, WebhookDelivery, WebhookEndpoint
from customers.events.post import body_of

TONES: Mapping[DeliveryState, str] = {
    DeliveryState.PENDING: "info",
    DeliveryState.DELIVERED: "success",
    DeliveryState.FAILED: "danger",
}
TABS = (("", "All"), *((state.value, state.label) for state in DeliveryState))
SOON = "It is sent within seconds. Reload this page to see the answer."


class EndpointForm(forms.Form):
    url = forms.CharField(
        label="Address",
        widget=forms.TextInput(CODE | {"placeholder": "https://example.com/webhooks"}),
        help_text="Events are posted there as JSON.",
    )
    description = forms.CharField(required=False, max_length=256, widget=forms.TextInput(TEXT))
    event_types = WordsField(
        required=False,
        label="Events",
        widget=forms.TextInput(CODE | {"placeholder": "invoice.paid, invoice.payment_failed"}),
        help_text="Only these, with commas between them. Empty: all.",
    )


@form_screen(Permission.MANAGE_WEBHOOKS)
def endpoint_list(request: OperatorRequest) -> HttpResponse:
    form = EndpointForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            endpoint = register_endpoint(request.vendor, **form.cleaned_data, real_now=request.real_now)
            return _page(request, endpoint, secret=endpoint.secret)
        except Invalid as refusal:
            refuse(form, refusal)
    rows = WebhookEndpoint.objects.of(request.vendor)
    context = {
        "page": newest_first(
            rows, "created_at", before=request.GET.get("before", ""), after=request.GET.get("after", "")
        ),
        "form": form,
        "kinds": sorted(PUBLIC_KINDS),
        "editable": may(request, Permission.MANAGE_WEBHOOKS),
    }
    return show(request, "portal/system/webhooks.html", context, title="Webhooks", area="webhooks")


@screen
def endpoint_page(request: OperatorRequest, uuid: str) -> HttpResponse:
    return _page(request, _endpoint(request, uuid))


def _page(request: OperatorRequest, endpoint: WebhookEndpoint, *, secret: str = "") -> HttpResponse:
    state = request.GET.get("state", "")
    state = state if state in DeliveryState.values else ""
    rows = WebhookDelivery.objects.of(request.vendor).filter(endpoint=endpoint).select_related("event")
    rows = rows.filter(state=state) if state else rows
    page = by_number(rows, before=request.GET.get("before", ""), after=request.GET.get("after", ""))
    context = {
        "endpoint": endpoint,
        "secret": secret,
        "page": page,
        "rows": [(row, TONES[DeliveryState(row.state)]) for row in page.rows],
        "tabs": TABS,
        "state": state,
        **_allowed(request),
    }
    return show(request, "portal/system/webhook.html", context, title="Webhook endpoint", area="webhooks")


def _allowed(request: OperatorRequest) -> dict[str, bool]:
    return {"editable": may(request, Permission.MANAGE_WEBHOOKS), "sends": may(request, Permission.REPLAY_EVENTS)}


@screen
def delivery_page(request: OperatorRequest, pk: int) -> HttpResponse:
    delivery = _delivery(request, pk)
    context: dict[str, Any] = {
        "delivery": delivery,
        "endpoint": delivery.endpoint,
        "tone": TONES[DeliveryState(delivery.state)],
        "tries": delivery.tries.order_by("-pk"),
        "body": json.dumps(json.loads(body_of(delivery.event)), indent=2, ensure_ascii=False),
        **_allowed(request),
    }
    return show(
        request, "portal/system/webhook_delivery.html", context, title=delivery.event.told_kind, area="webhooks"
    )


@verb(Permission.MANAGE_WEBHOOKS)
def roll(request: OperatorRequest, uuid: str) -> HttpResponse:
    endpoint = roll_secret(_endpoint(request, uuid), real_now=request.real_now)
    return _page(request, endpoint, secret=endpoint.secret)


@verb(Permission.MANAGE_WEBHOOKS)
def enable(request: OperatorRequest, uuid: str) -> HttpResponse:
    change_endpoint(_endpoint(request, uuid), {"enabled": True}, real_now=request.real_now)
    messages.success(request, "The endpoint is enabled. What was waiting for it is sent now.")
    return redirect("portal:webhook", uuid=uuid)


@verb(Permission.MANAGE_WEBHOOKS)
def disable(request: OperatorRequest, uuid: str) -> HttpResponse:
    change_endpoint(_endpoint(request, uuid), {"enabled": False}, real_now=request.real_now)
    messages.success(request, "The endpoint is disabled. Nothing is sent to it, and nothing new is kept for it.")
    return redirect("portal:webhook", uuid=uuid)


@verb(Permission.MANAGE_WEBHOOKS)
def delete(request: OperatorRequest, uuid: str) -> HttpResponse:
    delete_endpoint(_endpoint(request, uuid))
    messages.success(request, "The endpoint is deleted, with its deliveries.")
    return redirect("portal:webhooks")


@verb(Permission.REPLAY_EVENTS)
def test(request: OperatorRequest, uuid: str) -> HttpResponse:
    try:
        sent = send_test(_endpoint(request, uuid), actor=request.actor, now=request.now, real_now=request.real_now)
    except Conflict as refusal:
        messages.error(request, refusal.message)
        return redirect("portal:webhook", uuid=uuid)
    messages.success(request, f"A test event is on its way. {SOON}")
    return redirect("portal:webhook_delivery", pk=sent.pk)


@verb(Permission.REPLAY_EVENTS)
def again(request: OperatorRequest, pk: int) -> HttpResponse:
    try:
        send_again(_delivery(request, pk), real_now=request.real_now)
        messages.success(request, SOON)
    except Conflict as refusal:
        messages.error(request, refusal.message)
    return redirect("portal:webhook_delivery", pk=pk)


def _endpoint(request: OperatorRequest, uuid: str) -> WebhookEndpoint:
    return get_object_or_404(WebhookEndpoint.objects.of(request.vendor).select_related("vendor"), uuid=uuid)


def _delivery(request: OperatorRequest, pk: int) -> WebhookDelivery:
    return get_object_or_404(WebhookDelivery.objects.of(request.vendor).select_related("endpoint", "event"), pk=pk)
