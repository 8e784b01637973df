from django.urls import path

from invoicing.invoices.api.views import (
    ApproveView,
    CustomerInvoicesView,
    InvoicesView,
    InvoiceView,
    PdfView,
    RefundView,
    RetryView,
    SendView,
    StatusView,
    VoidView,
)

urlpatterns = [
    path("invoices", InvoicesView.as_view(), name="invoices"),
    path("invoices/<str:uuid>", InvoiceView.as_view(), name="invoice"),
    path("invoices/<str:uuid>/retries", RetryView.as_view(), name="invoice-retries"),
    path("invoices/<str:uuid>/approve", ApproveView.as_view(), name="invoice-approve"),
    path("invoices/<str:uuid>/send", SendView.as_view(), name="invoice-send"),
    path("invoices/<str:uuid>/void", VoidView.as_view(), name="invoice-void"),
    path("invoices/<str:uuid>/status", StatusView.as_view(), name="invoice-status"),
    path("invoices/<str:token>/pdf", PdfView.as_view(), name="invoice-pdf"),
    path("refund", RefundView.as_view(), name="refund"),
    path("customers/<str:name>/invoices", CustomerInvoicesView.as_view(), name="customer-invoices"),
]
