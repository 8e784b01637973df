"""Every list that can be taken along as CSV, and what its columns say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import Prefetch, Q, QuerySet
from django.http import QueryDict

from billing_portal.accounts.models import Membership
from billing_portal.lists.models import Import
from billing_portal.portal import (
    audit,
    bulk,
    coupons,
    customer_filters,
    dunning,
    invoice_selection,
    meters,
    next_run,
    planned,
    reconciliation,
    scheduled,
    subscriptions,
    unattributed,
)
from billing_portal.portal.access import OperatorRequest
from billing_portal.portal.exports.table import Column, Export, Rows, money, of
from billing_portal.portal.searching import some_invoices
from customers.contact import CONTACT_FIELDS
from customers.customer import Customer
from customers.events.models import Event, WebhookDelivery, WebhookEndpoint
from customers.vendor import Vendor
from invoicing.catalog.models import Meter, PricePlan
from invoicing.invoices.coming import ComingBill
from invoicing.invoices.ledger import Payment, Refund
from invoicing.invoices.models import Invoice
from invoicing.subscriptions.models import Coupon, Subscription
from invoicing.usage.models import Measurement, UnattributedMeasurement
from payments.reconcile.models import Difference, ReconciliationRun
from payments.stripe.models import StripeEvent

Asked = QueryDict
HEAVY = ("customer_snapshot", "policy_snapshot", "action_request", "memo")


def _invoices(request: OperatorRequest, asked: Asked) -> QuerySet[Invoice]:
    """The ticked ones where some were ticked, else what the list shows."""
    chosen = (
        bulk.wanted(request) if asked.get("which") == "ticked" else invoice_selection.selection(request, asked).rows
    )
    return _plain(chosen).order_by("-generated_at", "-pk")


def _plain(rows: QuerySet[Invoice]) -> QuerySet[Invoice]:
    return rows.select_related("customer").defer(*HEAVY)


def _dunning(request: OperatorRequest, asked: Asked) -> QuerySet[Invoice]:
    return _plain(dunning.chosen_rows(request, asked)).order_by("due_date", "pk")


INVOICE_COLUMNS: Sequence[Column[Invoice]] = (
    of("uuid", "id"),
    of("number"),
    of("customer.name", "customer"),
    of("customer.display_name", "customer_display_name"),
    of("customer.email", "email"),
    of("status"),
    of("currency"),
    money("sub_total"),
    money("tax_amount"),
    money("amount_due"),
    money("amount_paid"),
    money("amount_remaining"),
    of("period_start"),
    of("period_end"),
    of("generated_at"),
    of("issued_at"),
    of("due_date"),
    of("paid_at"),
    of("voided_at"),
    of("next_action"),
    of("next_action_at"),
    Column("held_back_by", lambda invoice: invoice.paused_by if invoice.paused_at else ""),
    of("gateway", "payment_gateway"),
    of("external_invoice_id"),
    of("dispute_state"),
    Column("error", lambda invoice: invoice.payment_error or invoice.invoicing_error or invoice.status_error),
)


def _customers(request: OperatorRequest, asked: Asked) -> QuerySet[Customer]:
    found = customer_filters.selection(request, asked).rows
    open_ones: Any = Subscription.objects.of(request.vendor).filter(expired_at__isnull=True)
    plans = Prefetch("subscriptions", open_ones.select_related("price_plan"), to_attr="open_plans")
    return found.prefetch_related("measurement_mappings", plans).order_by("-created_at", "-pk")


def _mappings(customer: Customer) -> list[str]:
    return [f"{rule.label} = {rule.value_regex}" for rule in customer.measurement_mappings.all()]


def _plan(customer: Customer) -> str:
    plans: list[Subscription] = customer.open_plans  # type: ignore[attr-defined]
    return plans[0].price_plan.name if plans else ""


CUSTOMER_COLUMNS: Sequence[Column[Customer]] = (
    of("name"),
    of("display_name"),
    *(of(name) for name in CONTACT_FIELDS),
    of("tax_exempt"),
    of("review_reason"),
    of("tags"),
    Column("measurement_mappings", _mappings),
    of("currency"),
    Column("price_plan", _plan),
    of("created_at"),
)


def _subscriptions(request: OperatorRequest, asked: Asked) -> QuerySet[Subscription]:
    rows = Subscription.objects.of(request.vendor).select_related("customer", "price_plan")
    if plan := asked.get("plan", ""):
        rows = rows.filter(price_plan__name=plan)
    return subscriptions.chosen_rows(rows, request, asked).order_by("-effective_at", "-pk")


def payments_of(vendor: Vendor, state: str = "", text: str = "") -> QuerySet[Payment]:
    rows = Payment.objects.filter(invoice__vendor=vendor).select_related("invoice__customer")
    rows = rows.filter(_collected(vendor, text)) if text else rows
    return rows.filter(state=state) if state else rows


def refunds_of(vendor: Vendor, text: str = "") -> QuerySet[Refund]:
    rows = Refund.objects.filter(invoice__vendor=vendor).select_related("invoice__customer")
    return rows.filter(_collected(vendor, text)) if text else rows


def _collected(vendor: Vendor, text: str) -> Q:
    """Of the invoice or customer that is meant, or with this id of Stripe's."""
    return Q(external_id=text) | Q(invoice_id__in=some_invoices(vendor, text))


def _payments(request: OperatorRequest, asked: Asked) -> QuerySet[Payment]:
    state = asked.get("tab", "")
    state = state if state in Payment.State.values else ""
    return payments_of(request.vendor, state, asked.get("q", "").strip()).order_by("-pk")


def _refunds(request: OperatorRequest, asked: Asked) -> QuerySet[Refund]:
    return refunds_of(request.vendor, asked.get("q", "").strip()).order_by("-pk")


def _measurements(request: OperatorRequest, asked: Asked) -> QuerySet[Measurement]:
    """Of one customer: all of everybody's is what the API is for."""
    rows = Measurement.objects.of(request.vendor).filter(customer__name=asked.get("customer", ""))
    return rows.select_related("meter", "customer").order_by("-time", "-pk")


def _unattributed(request: OperatorRequest, asked: Asked) -> QuerySet[UnattributedMeasurement]:
    return unattributed.chosen_rows(request.vendor, asked).order_by("-received_at", "-pk")


def _stripe_events(request: OperatorRequest, asked: Asked) -> QuerySet[StripeEvent]:
    rows = StripeEvent.objects.of(request.vendor).defer("body")
    if (state := asked.get("state", "")) in StripeEvent.State.values:
        rows = rows.filter(state=state)
    if kind := asked.get("type", "").strip():
        rows = rows.filter(type=kind)
    return rows.order_by("-received_at", "-pk")


def _deliveries(request: OperatorRequest, asked: Asked) -> QuerySet[WebhookDelivery]:
    rows = WebhookDelivery.objects.of(request.vendor).select_related("event", "endpoint")
    if state := asked.get("state", ""):
        rows = rows.filter(state=state)
    if endpoint := asked.get("endpoint", ""):
        rows = rows.filter(endpoint__in=_endpoints(request, QueryDict()).filter(uuid__in=bulk.uuids([endpoint])))
    return rows.order_by("-pk")


def _endpoints(request: OperatorRequest, asked: Asked) -> QuerySet[WebhookEndpoint]:
    return WebhookEndpoint.objects.of(request.vendor).order_by("-created_at", "-pk")


def _events(request: OperatorRequest, asked: Asked) -> QuerySet[Event]:
    return audit.AuditFilters(request.vendor, asked).rows()


def _meters(request: OperatorRequest, asked: Asked) -> QuerySet[Meter]:
    return meters.chosen_rows(request.vendor, asked).order_by("-created_at", "-pk")


def _plans(request: OperatorRequest, asked: Asked) -> QuerySet[PricePlan]:
    return PricePlan.objects.of(request.vendor).order_by("name", "-version")


def _coupons(request: OperatorRequest, asked: Asked) -> QuerySet[Coupon]:
    return coupons.chosen_rows(request.vendor, asked).order_by("-created_at", "-pk")


def _coming(request: OperatorRequest, asked: Asked) -> QuerySet[ComingBill]:
    return next_run.chosen_rows(request.vendor, asked).order_by("-deviation", "-pk")


def _differences(request: OperatorRequest, asked: Asked) -> QuerySet[Difference]:
    rows = reconciliation.differences_of(request.vendor, settled=asked.get("show") == "settled")
    return rows.order_by("-found_at", "-pk")


def _comparisons(request: OperatorRequest, asked: Asked) -> QuerySet[ReconciliationRun]:
    return ReconciliationRun.objects.of(request.vendor).select_related("connection").order_by("-started_at", "-pk")


def _imports(request: OperatorRequest, asked: Asked) -> QuerySet[Import]:
    return Import.objects.of(request.vendor).order_by("-pk")


def _operators(request: OperatorRequest, asked: Asked) -> QuerySet[Membership]:
    return Membership.objects.of(request.vendor).select_related("operator").order_by("-pk")


def _scheduled(request: OperatorRequest, asked: Asked) -> Rows[planned.Planned]:
    _, wanted = scheduled.chosen(asked, request.now)
    return planned.Everything(request.vendor, planned.Clock(request.now, request.real_now), wanted)


ALL: Sequence[Export[Any]] = (
    Export("invoices", "Invoices", _invoices, INVOICE_COLUMNS, (*invoice_selection.NAMES, "which")),
    Export("dunning", "Dunning", _dunning, INVOICE_COLUMNS, ("tab", "q")),
    Export("customers", "Customers", _customers, CUSTOMER_COLUMNS, customer_filters.NAMES),
    Export(
        "subscriptions", "Subscriptions", _subscriptions,
        (of("uuid", "id"), of("customer.name", "customer"), of("customer.display_name", "customer_display_name"),
         of("price_plan.name", "price_plan"), of("price_plan.version", "version"), of("price_plan.currency"),
         of("effective_at"), of("expired_at"), of("trial_ends_at"), of("created_at")),
        ("plan", "state", "q"),
    ),
    Export(
        "payments", "Payments", _payments,
        (of("invoice.number", "invoice"), of("invoice.customer.name", "customer"), of("state"),
         of("invoice.currency"), money("amount", "invoice.currency"), of("method"), of("is_by_hand", "by_hand"),
         of("reference"), of("external_id"), of("error_code"), of("error"), of("occurred_at")),
        ("tab", "q"),
    ),
    Export(
        "refunds", "Refunds", _refunds,
        (of("uuid", "id"), of("invoice.number", "invoice"), of("invoice.customer.name", "customer"), of("state"),
         of("invoice.currency"), money("amount", "invoice.currency"), of("reason"), of("actor_label", "asked_for_by"),
         of("external_id"), of("error"), of("created_at")),
        ("q",),
    ),
    Export(
        "measurements", "Measurements", _measurements,
        (of("meter.name", "meter"), of("customer.name", "customer"), of("time"), of("value"), of("labels"),
         of("reset_total"), of("received_at")),
        ("customer",),
    ),
    Export(
        "unattributed-usage", "Unattributed usage", _unattributed,
        (of("reason"), of("meter_name"), of("event_name"), of("customer_name"), of("time"), of("value"),
         of("labels"), of("reset_total"), of("received_at")),
        ("reason", "q"),
    ),
    Export(
        "meters", "Meters", _meters,
        (of("name"), of("display_name"), of("description"), of("unit_name"), of("event_name"), of("meter_type"),
         of("data_type"), of("aggregation"), of("primary_labels"), of("expected_labels"), of("created_at"),
         of("archived_at")),
        ("state", "q"),
    ),
    Export(
        "price-plans", "Price plans", _plans,
        (of("name"), of("version"), of("display_name"), of("description"), of("period"), of("currency"),
         money("base_price"), money("minimum_charge"), of("tags"), of("created_at"), of("archived_at")),
    ),
    Export(
        "next-run", "Next run", _coming,
        (of("customer.name", "customer"), of("customer.display_name", "customer_display_name"),
         of("cycle.start", "cycle_start"), of("cycle.end", "cycle_end"), of("generate_at"), of("currency"),
         money("amount_due"), money("last_amount"), of("worked_out_at")),
        ("q",),
    ),
    Export(
        "stripe-events", "Incoming Stripe events", _stripe_events,
        (of("event_id"), of("account_id"), of("livemode"), of("type"), of("object_id"), of("state"), of("reason"),
         of("received_at"), of("processed_at")),
        ("state", "type"),
    ),
    Export(
        "webhooks", "Webhook endpoints", _endpoints,
        (of("uuid", "id"), of("url"), of("description"), of("event_types"), of("created_at"), of("failing_since"),
         of("disabled_at"), of("disabled_reason")),
    ),
    Export(
        "webhook-deliveries", "Webhook deliveries", _deliveries,
        (of("event.uuid", "event_id"), of("event.kind", "kind"), of("endpoint.url", "endpoint"), of("state"),
         of("attempts"), of("response_status"), of("last_error"), of("created_at"), of("delivered_at")),
        ("state", "endpoint"),
    ),
    Export(
        "coupons", "Coupons", _coupons,
        (of("name"), of("display_name"), of("code"), of("frequency"), of("discount_type"), of("amount"),
         of("max_uses"), of("expires_at"), of("created_at"), of("withdrawn_at")),
        ("state", "q"),
    ),
    Export(
        "scheduled-work", "Scheduled work", _scheduled,
        (of("at"), Column("kind", lambda step: planned.KIND_LABELS[step.kind]), of("what"), of("who"),
         of("because", "why"), of("real_at", "in_real_time")),
        ("kind", "late"),
    ),
    Export(
        "differences", "Differences from Stripe", _differences,
        (of("kind"), of("external_id"), of("invoice.number", "invoice"), of("customer.name", "customer"),
         of("ours", "here"), of("theirs", "in_stripe"), of("advice"), of("found_at"), of("repaired_at"),
         of("gone_at"), of("last_error")),
        ("show",),
    ),
    Export(
        "comparisons", "Comparisons with Stripe", _comparisons,
        (of("connection.account_id", "account"), of("state"), of("since"), of("objects_seen"), of("found"),
         of("repaired"), of("started_by"), of("started_at"), of("finished_at"), of("last_error")),
    ),
    Export(
        "imports", "Imports", _imports,
        (of("uuid", "id"), of("file_name"), of("kind"), of("state"), of("total", "rows"), of("problem"),
         of("actor_label", "by"), of("created_at"), of("finished_at")),
    ),
    Export(
        "operators", "Operators", _operators,
        (of("operator.first_name", "first_name"), of("operator.last_name", "last_name"),
         of("operator.email", "email"), of("role"), of("operator.last_login", "last_sign_in")),
    ),
    Export(
        "events", "Audit trail", _events,
        (of("uuid", "id"), of("kind"), of("subject_kind"), of("subject_id"), of("actor_kind"),
         of("actor_label", "actor"), of("occurred_at"), of("created_at"), of("details")),
        audit.NAMES,
    ),
)  # fmt: skip

EXPORTS: Mapping[str, Export[Any]] = {export.name: export for export in ALL}
