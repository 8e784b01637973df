from django.urls import path

from invoicing.invoices.api.charges import AdhocChargesView, AdhocChargeView
from invoicing.invoices.api.coming import UpcomingInvoicesView
from invoicing.invoices.api.explanation import ExplanationView
from invoicing.invoices.api.numbering import NextNumberView
from invoicing.invoices.api.refunds import InvoiceRefundView
from invoicing.invoices.api.regeneration import RegenerateView
from invoicing.invoices.api.revenue import (
    AccruedRevenueView,
    DailyAccruedRevenueView,
    RevenueView,
    SpendByTimeView,
    TotalAccruedRevenueView,
)
from invoicing.invoices.api.sample import SampleInvoiceAsOfView, SampleInvoiceView
from invoicing.invoices.api.views import (
    ApproveView,
    BulkView,
    CustomerInvoicesView,
    CustomerPdfView,
    DueDateView,
    InvoicesView,
    InvoiceView,
    PauseView,
    PaymentsView,
    PayView,
    PdfView,
    RefundView,
    ResumeView,
    RetryView,
    SendView,
    StatusView,
    VoidView,
)

urlpatterns = [
    path("invoices", InvoicesView.as_view(), name="invoices"),
    path("invoices/upcoming", UpcomingInvoicesView.as_view(), name="upcoming-invoices"),
    path("invoices/bulk", BulkView.as_view(), name="invoices-bulk"),
    path("invoices/<str:uuid>", InvoiceView.as_view(), name="invoice"),
    path("invoices/<str:uuid>/retries", RetryView.as_view(), name="invoice-retries"),
    path("invoices/<str:uuid>/pay", PayView.as_view(), name="invoice-pay"),
    path("invoices/<str:uuid>/approve", ApproveView.as_view(), name="invoice-approve"),
    path("invoices/<str:uuid>/due_date", DueDateView.as_view(), name="invoice-due-date"),
    path("invoices/<str:uuid>/payments", PaymentsView.as_view(), name="invoice-payments"),
    path("invoices/<str:uuid>/regenerate", RegenerateView.as_view(), name="invoice-regenerate"),
    path("invoices/<str:uuid>/pause", PauseView.as_view(), name="invoice-pause"),
    path("invoices/<str:uuid>/resume", ResumeView.as_view(), name="invoice-resume"),
    path("invoices/<str:uuid>/send", SendView.as_view(), name="invoice-send"),
    path("invoices/<str:uuid>/void", VoidView.as_view(), name="invoice-void"),
    path("invoices/<str:uuid>/status", StatusView.as_view(), name="invoice-status"),
    path("invoices/<str:uuid>/line_items/<str:line>/explanation", ExplanationView.as_view(), name="explain-line-item"),
    path("invoices/<str:token>/pdf", PdfView.as_view(), name="invoice-pdf"),
    path("next_invoice_number", NextNumberView.as_view(), name="next-invoice-number"),
    path("invoices/<str:uuid>/refund", InvoiceRefundView.as_view(), name="invoice-refund"),
    path("refund", RefundView.as_view(), name="refund"),
    path("customers/<str:name>/invoice/<str:invoice_id>/<str:token>", CustomerPdfView.as_view(), name="customer-pdf"),
    path("customers/<str:name>/sample_invoice/<str:token>", SampleInvoiceView.as_view(), name="sample-invoice"),
    path(
        "customers/<str:name>/sample_invoice/<str:as_of_str>/<str:token>",
        SampleInvoiceAsOfView.as_view(),
        name="sample-invoice-as-of",
    ),
    path("customers/<str:name>/invoices", CustomerInvoicesView.as_view(), name="customer-invoices"),
    path("customers/<str:name>/revenue", RevenueView.as_view(), name="revenue"),
    path("customers/<str:name>/accrued_revenue", AccruedRevenueView.as_view(), name="accrued-revenue"),
    path("customers/<str:name>/total_accrued_revenue", TotalAccruedRevenueView.as_view(), name="total-accrued-revenue"),
    path("customers/<str:name>/daily_accrued_revenue", DailyAccruedRevenueView.as_view(), name="daily-accrued-revenue"),
    path("customers/<str:name>/spend_by_time", SpendByTimeView.as_view(), name="spend-by-time"),
    path("customers/<str:name>/adhoc_charges", AdhocChargesView.as_view(), name="adhoc-charges"),
    path("customers/<str:name>/adhoc_charges/<str:uuid>", AdhocChargeView.as_view(), name="adhoc-charge"),
]
