"""Building blocks for the admin: Stripe's side of things, to look at and not to edit."""

from __future__ import annotations

from django.contrib import admin
from django.db import models
from django.http import HttpRequest

from customers.tables import ReadOnlyAdmin
from payments.reconcile.models import Difference, EventCursor, ImportedInvoice, ReconciliationRun, Watch
from payments.stripe import processing
from payments.stripe.models import StripeConnection, StripeCustomer, StripeEvent, StripePaymentMethod, WebhookTally


class StripeConnectionAdmin(ReadOnlyAdmin):
    list_display = ["account_id", "vendor", "livemode", "is_active", "connected_at", "last_webhook_at"]
    list_filter = ["livemode", "is_active"]
    list_select_related = ["vendor"]


class StripeCustomerAdmin(ReadOnlyAdmin):
    list_display = ["customer", "external_id", "state", "connection", "linked_at", "last_error"]
    list_filter = ["state"]
    list_select_related = ["customer", "connection"]


class StripePaymentMethodAdmin(ReadOnlyAdmin):
    list_display = ["stripe_customer", "type", "brand", "last4", "exp_month", "exp_year", "is_default"]
    list_filter = ["type", "is_default"]
    list_select_related = ["stripe_customer__customer"]


class StripeEventAdmin(ReadOnlyAdmin):
    list_display = ["type", "object_id", "account_id", "livemode", "state", "reason", "attempts", "received_at"]
    list_filter = ["state", "livemode", "type"]
    actions = ["process_again"]

    @admin.action(description="Process again")
    def process_again(self, request: HttpRequest, queryset: models.QuerySet[StripeEvent]) -> None:
        again, chosen = processing.replay(queryset), queryset.count()
        self.message_user(request, f"{again} of {chosen} events will be processed again.")


class WebhookTallyAdmin(ReadOnlyAdmin):
    list_display = ["day", "kind", "account_id", "detail", "count", "last_at"]
    list_filter = ["kind"]


class EventCursorAdmin(ReadOnlyAdmin):
    list_display = ["connection", "newest_id", "read_at", "found_last_at", "last_error"]
    list_select_related = ["connection"]


class WatchAdmin(ReadOnlyAdmin):
    list_display = ["kind", "external_id", "state", "since", "asked", "next_at", "last_error"]
    list_filter = ["kind"]


class ReconciliationRunAdmin(ReadOnlyAdmin):
    list_display = ["connection", "state", "phase", "started_at", "pages", "objects_seen", "found", "repaired"]
    list_filter = ["state"]
    list_select_related = ["connection"]


class DifferenceAdmin(ReadOnlyAdmin):
    list_display = ["kind", "external_id", "ours", "theirs", "found_at", "repaired_at", "gone_at", "last_error"]
    list_filter = ["kind"]


class ImportedInvoiceAdmin(ReadOnlyAdmin):
    list_display = ["external_id", "number", "customer", "status", "total", "amount_remaining", "as_of"]
    list_filter = ["status"]
    list_select_related = ["customer"]


ADMINS: dict[type[models.Model], type[ReadOnlyAdmin]] = {
    StripeConnection: StripeConnectionAdmin,
    StripeCustomer: StripeCustomerAdmin,
    StripePaymentMethod: StripePaymentMethodAdmin,
    StripeEvent: StripeEventAdmin,
    WebhookTally: WebhookTallyAdmin,
    EventCursor: EventCursorAdmin,
    Watch: WatchAdmin,
    ReconciliationRun: ReconciliationRunAdmin,
    Difference: DifferenceAdmin,
    ImportedInvoice: ImportedInvoiceAdmin,
}
