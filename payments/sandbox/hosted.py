"""The page behind an invoice's ``hosted_invoice_url``."""

from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html, format_html_join

from payments.sandbox.models import StoredObject
from payments.sandbox.scope import JSON


def invoice(request: HttpRequest, account: str, token: str) -> HttpResponse:
    # The token begins with the invoice's id, after the word for the mode.
    id_ = "in_" + token.partition("_")[2][:24]
    row = StoredObject.objects.filter(account=account, object="invoice", stripe_id=id_).first()
    if row is None or not str(row.data["hosted_invoice_url"]).endswith(f"/{token}"):
        return HttpResponse("This invoice could not be found.", status=404)
    return HttpResponse(_page(row.data))


def _page(data: JSON) -> str:
    lines = format_html_join(
        "",
        "<tr><td>{}</td><td style='text-align:right'>{} {}</td></tr>",
        ((line["description"] or "", line["amount"], line["currency"].upper()) for line in data["lines"]["data"]),
    )
    return format_html(
        "<!doctype html><html lang='en'><meta charset='utf-8'><title>Invoice {0}</title>"
        "<body style='font-family:system-ui;max-width:40rem;margin:4rem auto'><h1>Invoice {0}</h1>"
        "<p>From {1} to {2}. Status: <strong>{3}</strong>.</p><table style='width:100%'>{4}</table>"
        "<p>Due: {5} {6} (minor units). This is the Stripe sandbox: no money moves.</p></body></html>",
        data["number"],
        data["account_name"],
        data["customer_name"] or data["customer_email"] or data["customer"],
        data["status"],
        lines,
        data["amount_remaining"],
        data["currency"].upper(),
    )
