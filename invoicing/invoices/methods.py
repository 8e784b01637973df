"""Which payment methods can an invoice be charged to? What the gateway that holds it has seen of its customer."""

from __future__ import annotations

from customers.errors import Invalid
from invoicing.gateways import GatewayMethod, get_gateway
from invoicing.invoices.models import Invoice


def methods_of(invoice: Invoice) -> list[GatewayMethod]:
    """The default first. Makes no call."""
    if not invoice.gateway:
        return []
    return get_gateway(invoice.gateway).payment_methods(invoice.gateway_account, invoice.customer_id)


def checked_method(invoice: Invoice, chosen: str) -> str:
    """The chosen method, if it is one of theirs; empty: the usual one. Raises ``Invalid``."""
    chosen = chosen.strip()
    if chosen and chosen not in {method.external_id for method in methods_of(invoice)}:
        raise Invalid({"payment_method": "The customer has no such payment method. Leave it out for the usual one."})
    return chosen
