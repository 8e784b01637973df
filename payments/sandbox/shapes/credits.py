"""Credit notes and their lines."""

from payments.sandbox.scope import JSON


def credit_note(created: int, livemode: bool, invoice: JSON, amount: int) -> JSON:
    """Without its lines, and without what it does to the invoice and the customer."""
    return {
        "object": "credit_note",
        "amount": amount,
        "amount_shipping": 0,
        "created": created,
        "currency": invoice["currency"],
        "customer": invoice["customer"],
        "customer_account": None,
        "customer_balance_transaction": None,
        "discount_amount": 0,
        "discount_amounts": [],
        "effective_at": created,
        "invoice": invoice["id"],
        "lines": None,
        "livemode": livemode,
        "memo": None,
        "metadata": {},
        "number": "",
        "out_of_band_amount": None,
        "pdf": "",
        "post_payment_amount": 0,
        "pre_payment_amount": 0,
        "pretax_credit_amounts": [],
        "reason": None,
        "refunds": [],
        "shipping_cost": None,
        "status": "issued",
        "subtotal": amount,
        "subtotal_excluding_tax": amount,
        "total": amount,
        "total_excluding_tax": amount,
        "total_taxes": [],
        "type": "pre_payment",
        "voided_at": None,
    }


def line(livemode: bool, amount: int, description: str | None, *, invoice_line: str | None = None) -> JSON:
    return {
        "object": "credit_note_line_item",
        "amount": amount,
        "description": description,
        "discount_amount": 0,
        "discount_amounts": [],
        "invoice_line_item": invoice_line,
        "livemode": livemode,
        "metadata": {},
        "pretax_credit_amounts": [],
        "quantity": None if invoice_line else 1,
        "tax_rates": [],
        "taxes": [],
        "type": "invoice_line_item" if invoice_line else "custom_line_item",
        "unit_amount": None if invoice_line else amount,
        "unit_amount_decimal": None if invoice_line else str(amount),
    }
