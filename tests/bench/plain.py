"""The plainest views that Django REST framework has for the same answers: the key looked up, the rows found, shaped."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing_portal.accounts.models import ApiKey, hash_key
from customers.api.serializers import customer_shape
from customers.customer import Customer
from invoicing.catalog.api.meters import meter_shape
from invoicing.catalog.models import Meter
from invoicing.invoices.api.shapes import invoice_shape, past_invoice_shape
from invoicing.invoices.models import Invoice


class KeyLookup(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[None, ApiKey]:
        token = request.headers["Authorization"].removeprefix("Bearer ")
        key = ApiKey.objects.valid(timezone.now()).select_related("vendor").filter(hash=hash_key(token)).first()
        if key is None:
            raise AuthenticationFailed
        return None, key


class PlainView(APIView):
    authentication_classes = [KeyLookup]

    @property
    def key(self) -> ApiKey:
        return cast(ApiKey, self.request.auth)


class CustomerView(PlainView):
    def get(self, request: Request, name: str) -> Response:
        return Response(customer_shape(get_object_or_404(Customer.objects.of(self.key.vendor), name=name)))


class MeterView(PlainView):
    def get(self, request: Request, name: str) -> Response:
        return Response(meter_shape(get_object_or_404(Meter.objects.of(self.key.vendor), name=name)))


class InvoiceView(PlainView):
    def get(self, request: Request, uuid: str) -> Response:
        rows = Invoice.objects.of(self.key.vendor).select_related("customer", "vendor")
        return Response(invoice_shape(get_object_or_404(rows, uuid=uuid)))


class CustomersView(PlainView):
    def get(self, request: Request) -> Response:
        rows = Customer.objects.of(self.key.vendor).prefetch_related("measurement_mappings").order_by("name")
        return Response([customer_shape(customer) for customer in rows[: int(request.query_params["limit"])]])


class InvoicesView(PlainView):
    """Sorted by a column whose values are unique here, so that one comparison marks the place."""

    def get(self, request: Request) -> Response:
        asked = request.query_params
        rows = Invoice.objects.of(self.key.vendor).select_related("customer", "vendor")
        rows = rows.order_by(f"-{asked['sort_column']}")
        if "forward_sort_offset" in asked:
            rows = rows.filter(**{f"{asked['sort_column']}__lt": _place(asked["forward_sort_offset"])})
        return Response({"invoices": [past_invoice_shape(invoice) for invoice in rows[: int(asked["limit"])]]})


def _place(text: str) -> Any:
    return int(text) if text.isdecimal() else datetime.fromisoformat(text)


def healthz(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok")


urlpatterns = [
    path("healthz", healthz),
    path("api/v1/customers", CustomersView.as_view()),
    path("api/v1/customers/<str:name>", CustomerView.as_view()),
    path("api/v1/meters/<str:name>", MeterView.as_view()),
    path("api/v1/invoices", InvoicesView.as_view()),
    path("api/v1/invoices/<str:uuid>", InvoiceView.as_view()),
]
