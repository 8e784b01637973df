"""/invoices, and a customer's invoices. The verbs are the lifecycle's."""

from __future__ import annotations

from typing import Annotated, Any, TypedDict
from uuid import UUID

from django.db.models import prefetch_related_objects
from django.http import HttpResponse, HttpResponseBase
from rest_framework import serializers
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response

from customers.api.base import StrictSerializer, VendorView, done, step_by_step
from customers.api.paging import linked
from customers.api.schema import documented
from customers.errors import Conflict, Missing
from customers.money import LARGEST_MINOR
from invoicing.invoices import by_hand, due_dates, lifecycle, pausing, refunds
from invoicing.invoices.api.paging import LIMIT, InvoiceQuery, matching, page_of
from invoicing.invoices.api.shapes import (
    InvoiceAnswer,
    PastInvoicesAnswer,
    invoice_shape,
    past_invoice_shape,
)
from invoicing.invoices.bulk import BULK_VERBS, MOST, act_on_many
from invoicing.invoices.documents.model import DocumentError
from invoicing.invoices.links import pdf_of, read_token
from invoicing.invoices.methods import checked_method
from invoicing.invoices.models import Invoice
from invoicing.invoices.one_off import OneOff, OneOffLine, create_one_off
from invoicing.invoices.states import InvoiceStatus
from invoicing.invoices.verbs import InvoiceVerb

BY_API = "Set over the API."


class InvoiceVendorView(VendorView):
    def invoice(self, uuid: str) -> Invoice:
        rows = Invoice.objects.of(self.vendor).select_related("customer", "vendor")
        return self.find_uuid(rows, "invoice", uuid)

    @property
    def by(self) -> dict[str, Any]:
        """Who acts, and when, as the verbs take it."""
        return {"actor": self.actor, "now": self.now, "real_now": self.real_now}


class InvoicesView(InvoiceVendorView):
    @documented("list_invoices", query=InvoiceQuery, answer=PastInvoicesAnswer)
    def get(self, request: Request) -> Response:
        query = self.read_query(InvoiceQuery)
        page = page_of(matching(Invoice.objects.of(self.vendor), query), query, limit=query.get("limit", LIMIT))
        answer: PastInvoicesAnswer = {
            "invoices": [past_invoice_shape(invoice) for invoice in page.invoices],
            "limit": query.get("limit", LIMIT),
            "sort_column": query["sort_column"],
            "sort_direction": query["sort_direction"],
            **page.offsets,
        }
        return linked(self, done(answer), page.offsets)


class BulkInput(StrictSerializer):
    action = serializers.ChoiceField(choices=[verb.value for verb in BULK_VERBS])
    invoice_ids = serializers.ListField(child=serializers.UUIDField(), min_length=1, max_length=MOST)
    reason = serializers.CharField(
        required=False, default=BY_API, max_length=500, help_text="Kept in the timeline of each that is voided."
    )


class BulkAnswer(TypedDict):
    invoice_id: str
    success: bool
    message: Annotated[str, "Why it was refused; empty where it was done."]


class BulkView(InvoiceVendorView):
    calls_out = frozenset({"POST"})

    @documented("act_on_invoices", body=BulkInput, answer=list[BulkAnswer])
    def post(self, request: Request) -> Response:
        """Approve, push, send or void many. Each is done by itself: what is refused for one hinders no other,
        and nothing is undone when a later one fails. The answer has a result for each, in the order they were given.
        Sent again with the same Idempotency-Key it goes on where it was interrupted, and repeats none."""
        given = self.read(BulkInput)
        rows = Invoice.objects.of(self.vendor).select_related("customer", "vendor")
        found = {invoice.uuid: invoice for invoice in rows.filter(uuid__in=given["invoice_ids"])}
        wanted = dict.fromkeys(given["invoice_ids"])
        known = [found[uuid] for uuid in wanted if uuid in found]
        outcomes = act_on_many(
            known, InvoiceVerb(given["action"]), reason=given["reason"], once=step_by_step, **self.by
        )
        refusals = {outcome.invoice.uuid: outcome.refusal for outcome in outcomes}
        return done([_bulk_shape(uuid, refusals.get(uuid, f"There is no invoice {str(uuid)!r}.")) for uuid in wanted])


def _bulk_shape(uuid: UUID, refusal: str) -> BulkAnswer:
    return {"invoice_id": str(uuid), "success": not refusal, "message": refusal}


class InvoiceView(InvoiceVendorView):
    @documented("get_invoice", answer=InvoiceAnswer)
    def get(self, request: Request, uuid: str) -> Response:
        return done(invoice_shape(self.invoice(uuid)))

    @documented("delete_invoice")
    def delete(self, request: Request, uuid: str) -> Response:
        """Only before it was issued."""
        lifecycle.delete(self.invoice(uuid), **self.by)
        return done()


class RetryAnswer(TypedDict):
    success: bool


class RetryView(InvoiceVendorView):
    @documented("retry_invoice", answer=RetryAnswer, status=202)
    def post(self, request: Request, uuid: str) -> Response:
        """Push the invoice to its next step now, without waiting for its time."""
        invoice = self.invoice(uuid)
        self.read(StrictSerializer)
        lifecycle.push(invoice, **self.by)
        return done({"success": True}, status=202)


class PayInput(StrictSerializer):
    payment_method = serializers.CharField(
        required=False, default="", allow_blank=True, max_length=255,
        help_text="Stripe's id of one of the customer's payment methods; left out: the one Stripe would charge.",
    )  # fmt: skip


class PayView(InvoiceVendorView):
    @documented("pay_invoice", body=PayInput, answer=InvoiceAnswer, status=202, refusals=(404, 409))
    def post(self, request: Request, uuid: str) -> Response:
        """Charge what is still due now. The outcome is in ``payments``, and told by webhook."""
        invoice = self.invoice(uuid)
        method = checked_method(invoice, self.read(PayInput)["payment_method"])
        return done(invoice_shape(lifecycle.pay(invoice, method=method, **self.by)), status=202)


class ApproveView(InvoiceVendorView):
    @documented("approve_invoice", answer=InvoiceAnswer)
    def post(self, request: Request, uuid: str) -> Response:
        """Let it be issued when its payment grace period is over."""
        invoice = self.invoice(uuid)
        self.read(StrictSerializer)
        return done(invoice_shape(lifecycle.approve(invoice, **self.by)))


class DueDateInput(StrictSerializer):
    due_date = serializers.DateField(
        allow_null=True, help_text="The last day to pay, in the vendor's zone; null: by the billing settings."
    )


class DueDateView(InvoiceVendorView):
    @documented("change_invoice_due_date", body=DueDateInput, answer=InvoiceAnswer)
    def post(self, request: Request, uuid: str) -> Response:
        """Choose the due date of an invoice that is not issued yet."""
        invoice = self.invoice(uuid)
        day = self.read(DueDateInput)["due_date"]
        return done(invoice_shape(due_dates.change_due_date(invoice, day=day, **self.by)))


class PaymentInput(StrictSerializer):
    amount = serializers.IntegerField(
        min_value=1, max_value=LARGEST_MINOR, help_text="Minor units. What is more than remains is shown as overpaid."
    )
    received_on = serializers.DateField(
        required=False, allow_null=True, help_text="The day the money came, in the vendor's zone; today if left out."
    )
    method = serializers.CharField(
        required=False, default="", allow_blank=True, max_length=128, help_text="In words, for example: Bank transfer."
    )
    reference = serializers.CharField(required=False, default="", allow_blank=True, max_length=128)


class PaymentsView(InvoiceVendorView):
    @documented("record_invoice_payment", body=PaymentInput, answer=InvoiceAnswer, refusals=(409,))
    def post(self, request: Request, uuid: str) -> Response:
        """Money that came outside Stripe: all that remains, a part of it, or more. An invoice that Stripe holds takes
        no part payment here, because Stripe would still collect all of it."""
        invoice = self.invoice(uuid)
        given = self.read(PaymentInput)
        received = {"received_on": given.get("received_on"), "means": given["method"], "reference": given["reference"]}
        paid = by_hand.record_payment(invoice, amount=given["amount"], **received, **self.by)
        return done(invoice_shape(paid))


class SendView(InvoiceVendorView):
    @documented("send_invoice", answer=InvoiceAnswer, status=202)
    def post(self, request: Request, uuid: str) -> Response:
        """E-mail an issued invoice again, to the customer's present addresses; through Stripe where Stripe sent it."""
        invoice = self.invoice(uuid)
        self.read(StrictSerializer)
        return done(invoice_shape(lifecycle.send(invoice, **self.by)), status=202)


class ReasonInput(StrictSerializer):
    reason = serializers.CharField(default=BY_API, max_length=500, help_text="Kept in the invoice's timeline.")


class VoidView(InvoiceVendorView):
    @documented("void_invoice", body=ReasonInput, answer=InvoiceAnswer)
    def post(self, request: Request, uuid: str) -> Response:
        """Cancel an unpaid invoice for good, in Stripe too."""
        invoice = self.invoice(uuid)
        reason = self.read(ReasonInput)["reason"]
        return done(invoice_shape(lifecycle.void(invoice, reason=reason, **self.by)))


class PauseView(InvoiceVendorView):
    @documented("pause_invoice", body=ReasonInput, answer=InvoiceAnswer)
    def post(self, request: Request, uuid: str) -> Response:
        """Hold back its issue, our retries and reminders until it is resumed. What Stripe does by itself goes on."""
        invoice = self.invoice(uuid)
        reason = self.read(ReasonInput)["reason"]
        return done(invoice_shape(pausing.pause(invoice, reason=reason, **self.by)))


class ResumeView(InvoiceVendorView):
    @documented("resume_invoice", answer=InvoiceAnswer)
    def post(self, request: Request, uuid: str) -> Response:
        """Let it go on where it was. What fell due meanwhile is done at once."""
        invoice = self.invoice(uuid)
        self.read(StrictSerializer)
        return done(invoice_shape(pausing.resume(invoice, **self.by)))


class StatusInput(StrictSerializer):
    status = serializers.ChoiceField(
        choices=[InvoiceStatus.PAID.value, InvoiceStatus.VOIDED.value, InvoiceStatus.UNCOLLECTIBLE.value],
        default=InvoiceStatus.PAID.value,
        help_text="Paid: the money arrived elsewhere. Uncollectible: given up as a bad debt.",
    )


class StatusView(InvoiceVendorView):
    @documented("set_invoice_status", body=StatusInput)
    def post(self, request: Request, uuid: str) -> Response:
        """Mirror a fact from outside: paid by other means, void, or given up. Stripe is told where it holds it."""
        invoice = self.invoice(uuid)
        match self.read(StatusInput)["status"]:
            case InvoiceStatus.VOIDED:
                lifecycle.void(invoice, reason=BY_API, **self.by)
            case InvoiceStatus.UNCOLLECTIBLE:
                lifecycle.mark_uncollectible(invoice, reason=BY_API, **self.by)
            case _:
                lifecycle.mark_paid(invoice, **self.by)
        return done()


class RefundInput(StrictSerializer):
    invoice_uuid = serializers.CharField(required=False)
    invoice_id = serializers.IntegerField(required=False, help_text="Not kept here: give invoice_uuid.")
    amount = serializers.IntegerField(min_value=1, help_text="Minor units; at most what was paid and not yet refunded.")
    reason = serializers.CharField(required=False, default="", allow_blank=True, max_length=500)

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        if "invoice_uuid" not in given:
            raise serializers.ValidationError({"invoice_uuid": "Say which invoice, by its uuid."})
        return given


class RefundAccepted(TypedDict):
    success: bool


class RefundView(InvoiceVendorView):
    @documented("create_refund", body=RefundInput, answer=RefundAccepted, status=202, refusals=(404, 409))
    def post(self, request: Request) -> Response:
        """Give money back for a paid invoice, all of it or a part. It is on its way when the invoice says so."""
        given = self.read(RefundInput)
        invoice = self.invoice(given["invoice_uuid"])
        refunds.refund(invoice, given["amount"], reason=given["reason"], **self.by)
        return done({"success": True}, status=202)


class LinkOrKey(BasePermission):
    """A PDF's own link opens it; its plain id needs an API key."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return read_token(view.kwargs["token"]) is not None or bool(request.user and request.user.is_authenticated)


class PdfView(InvoiceVendorView):
    permission_classes = (LinkOrKey,)

    def perform_authentication(self, request: Request) -> None:
        """A link is enough; what else the browser sends along is not looked at."""
        if read_token(self.kwargs["token"]) is None:
            super().perform_authentication(request)

    @documented("get_invoice_pdf", answer=bytes, refusals=(409,))
    def get(self, request: Request, token: str) -> HttpResponseBase:
        """By the link in ``pdf_url``, which needs no API key; or by the invoice's id, which needs one."""
        invoice = self._invoice(token)
        try:
            pdf = pdf_of(invoice)
        except DocumentError as error:
            raise Conflict(f"The PDF cannot be made: {error}", code="document") from error
        name = invoice.number or f"draft-{str(invoice.uuid)[:8]}"
        headers = {"Content-Disposition": f'inline; filename="{name}.pdf"', "X-Robots-Tag": "noindex"}
        return HttpResponse(pdf, content_type="application/pdf", headers=headers)

    def _invoice(self, token: str) -> Invoice:
        if (uuid := read_token(token)) is None:
            return self.invoice(token)
        # The link's signature names one invoice, whose vendor is thereby known.
        found = Invoice.objects.select_related("customer", "vendor").filter(uuid=uuid).first()
        if found is None:
            raise Missing("This invoice was deleted.")
        return found


class CustomerPdfView(PdfView):
    @documented("get_customer_invoice_pdf", answer=bytes, refusals=(409,))
    def get(self, request: Request, token: str, name: str = "", invoice_id: str = "") -> HttpResponseBase:
        """As existing clients ask for it: the token is the part of ``pdf_url`` before ``/pdf``, or the id again."""
        invoice = self._invoice(token)
        if (invoice.customer.name, str(invoice.uuid)) != (name, invoice_id):
            raise Missing(f"There is no invoice {invoice_id!r}.")
        return super().get(request, token)


def _with_money(invoices: list[Invoice]) -> None:
    """Of most invoices nothing is paid, refunded or disputed: only the others are asked for."""
    prefetch_related_objects([invoice for invoice in invoices if invoice.was_tried], "payments")
    prefetch_related_objects([invoice for invoice in invoices if invoice.amount_paid], "refunds")
    prefetch_related_objects([invoice for invoice in invoices if invoice.dispute_state], "disputes")


class OneOffLineInput(StrictSerializer):
    name = serializers.CharField(max_length=256)
    unit_price = serializers.DecimalField(
        max_digits=24, decimal_places=12,
        help_text="Minor units, may be fractional; negative where something is taken off.",
    )  # fmt: skip
    quantity = serializers.DecimalField(max_digits=24, decimal_places=12, required=False, help_text="1 if left out.")
    description = serializers.CharField(required=False, default="", allow_blank=True, max_length=2000)


class OneOffInput(StrictSerializer):
    line_items = OneOffLineInput(many=True, help_text="They may not add up to less than nothing.")
    memo = serializers.CharField(required=False, default="", allow_blank=True, max_length=5000)
    due_date = serializers.DateField(
        required=False, allow_null=True, default=None, help_text="The last day to pay; by the settings if left out."
    )
    currency = serializers.CharField(
        required=False, default="", allow_blank=True, max_length=3, help_text="The customer's, or else the vendor's."
    )
    issue_now = serializers.BooleanField(
        required=False, default=False, help_text="Approved and issued at once, without the payment grace period."
    )


class CustomerInvoicesView(InvoiceVendorView):
    @documented("list_customer_invoices", query=InvoiceQuery, answer=list[InvoiceAnswer])
    def get(self, request: Request, name: str) -> Response:
        """All of them unless ``limit`` says otherwise, newest first. The ``Link`` header leads to the next page."""
        customer = self.customer(name)
        query = self.read_query(InvoiceQuery)
        rows = matching(Invoice.objects.of(self.vendor).filter(customer=customer), query)
        page = page_of(rows.prefetch_related("line_items"), query, limit=query.get("limit"))
        _with_money(page.invoices)
        return linked(self, done([invoice_shape(invoice) for invoice in page.invoices]), page.offsets)

    @documented("create_invoice", body=OneOffInput, answer=InvoiceAnswer)
    def post(self, request: Request, name: str) -> Response:
        """A one-off invoice with lines of its own. It goes the way of every other, or is issued at once."""
        customer, given = self.customer(name), self.read(OneOffInput)
        lines = [OneOffLine(**line) for line in given.pop("line_items")]
        return done(invoice_shape(create_one_off(customer, OneOff(lines=lines, **given), **self.by)))
