"""/customers/{name}/sample_invoice: the running cycle's invoice as a PDF, before there is one."""

from __future__ import annotations

from datetime import datetime

from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from customers.api.base import StrictSerializer, VendorView
from customers.api.schema import documented
from customers.errors import Conflict
from invoicing.invoices.documents.model import DocumentError
from invoicing.invoices.sample import sample_pdf


class SampleMoment(StrictSerializer):
    as_of_str = serializers.DateTimeField()


class SampleView(VendorView):
    """The key opens it. The ``token``, which stood for a key in Octane's links, is not looked at."""

    def pdf(self, name: str, at: datetime) -> HttpResponse:
        customer = self.customer(name)
        try:
            pdf = sample_pdf(customer, at=at)
        except DocumentError as error:
            raise Conflict(f"The PDF cannot be made: {error}", code="document") from error
        disposition = {"Content-Disposition": 'inline; filename="sample.pdf"'}
        return HttpResponse(pdf, content_type="application/pdf", headers=disposition)


class SampleInvoiceView(SampleView):
    @documented("get_sample_invoice", answer=bytes, refusals=(409,))
    def get(self, request: Request, name: str, token: str) -> HttpResponse:
        """A draft of the running cycle's invoice, with what was used so far."""
        return self.pdf(name, self.now)


class SampleInvoiceAsOfView(SampleView):
    @documented("get_sample_invoice_as_of", answer=bytes, refusals=(409, 422))
    def get(self, request: Request, name: str, as_of_str: str, token: str) -> HttpResponse:
        """As it stood, or will stand, at a moment of a billing cycle: with what was used by then."""
        reader = SampleMoment(data={"as_of_str": as_of_str})
        reader.is_valid(raise_exception=True)
        return self.pdf(name, reader.validated_data["as_of_str"])
