"""Pages for customers, opened by a link."""

from django.urls import path

from billing_portal.public import views
from invoicing.invoices.links import PAGE_PATH

app_name = "public"

urlpatterns = [
    path(f"{PAGE_PATH}/<str:token>", views.invoice_page, name="invoice"),
    path(f"{PAGE_PATH}/<str:token>/pdf", views.invoice_pdf, name="invoice_pdf"),
]
