"""/invoices/{uuid}/refund: as /refund, with the invoice in the address."""

from __future__ import annotations

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from customers.api.base import StrictSerializer, done
from customers.api.schema import documented
from customers.money import LARGEST_MINOR
from invoicing.invoices import refunds
from invoicing.invoices.api.shapes import InvoiceAnswer, invoice_shape
from invoicing.invoices.api.views import InvoiceVendorView


class InvoiceRefundInput(StrictSerializer):
    amount = serializers.IntegerField(
        min_value=1, max_value=LARGEST_MINOR, help_text="Minor units; at most what was paid and not yet refunded."
    )
    reason = serializers.CharField(required=False, default="", allow_blank=True, max_length=500)


class InvoiceRefundView(InvoiceVendorView):
    @documented("refund_invoice", body=InvoiceRefundInput, answer=InvoiceAnswer, status=202)
    def post(self, request: Request, uuid: str) -> Response:
        """Give money back, all of it or a part. What becomes of it is told by webhook."""
        invoice = self.invoice(uuid)
        given = self.read(InvoiceRefundInput)
        refunds.refund(invoice, given["amount"], reason=given["reason"], **self.by)
        return done(invoice_shape(self.invoice(uuid)), status=202)
