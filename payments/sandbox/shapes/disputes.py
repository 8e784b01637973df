"""Disputes and the balance transactions they leave."""

from payments.sandbox.ids import new_id
from payments.sandbox.scope import JSON

TEXTS = (
    "access_activity_log",
    "billing_address",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "customer_email_address",
    "customer_name",
    "customer_purchase_ip",
    "duplicate_charge_explanation",
    "duplicate_charge_id",
    "product_description",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "service_date",
    "shipping_address",
    "shipping_carrier",
    "shipping_date",
    "shipping_tracking_number",
    "uncategorized_text",
)
PROGRAMMES = ("mastercard_compliance", "visa_compelling_evidence_3", "visa_compliance")
FILES = (
    "cancellation_policy",
    "customer_communication",
    "customer_signature",
    "duplicate_charge_documentation",
    "receipt",
    "refund_policy",
    "service_documentation",
    "shipping_documentation",
    "uncategorized_file",
)


def dispute(created: int, livemode: bool, charge: JSON, reason: str, status: str, due_by: int) -> JSON:
    card = charge["payment_method_details"]["card"]
    return {
        "object": "dispute",
        "amount": charge["amount"],
        "balance_transactions": [],
        "charge": charge["id"],
        "created": created,
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": {**dict.fromkeys((*TEXTS, *FILES)), "appeal": None, "enhanced_evidence": dict.fromkeys(PROGRAMMES)},
        "evidence_details": {
            "due_by": due_by,
            "enhanced_eligibility": dict.fromkeys(PROGRAMMES),
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
            "submission_method": "not_submitted",
        },
        "intended_submission_method": None,
        "is_charge_refundable": status.startswith("warning_"),
        "livemode": livemode,
        "metadata": {},
        "network_reason_code": None,
        "payment_intent": charge["payment_intent"],
        "payment_method_details": {
            "card": {
                "brand": card["brand"],
                "case_type": "inquiry" if status.startswith("warning_") else "chargeback",
                "network": card["network"],
                "network_reason_code": None,
            },
            "type": "card",
        },
        "reason": reason,
        "status": status,
    }


def balance_transaction(created: int, dispute: JSON, amount: int, fee: int) -> JSON:
    return {
        "id": new_id("balance_transaction"),
        "object": "balance_transaction",
        "amount": amount,
        "available_on": created,
        "balance_type": "payments",
        "created": created,
        "currency": dispute["currency"],
        "description": f"Chargeback {'withdrawal' if amount < 0 else 'reversal'} for {dispute['charge']}",
        "exchange_rate": None,
        "fee": fee,
        "fee_details": [_fee(dispute, fee)] if fee else [],
        "net": amount - fee,
        "reporting_category": "dispute" if amount < 0 else "dispute_reversal",
        "source": dispute["id"],
        "status": "available",
        "type": "adjustment",
    }


def _fee(dispute: JSON, fee: int) -> JSON:
    words = "Dispute fee"
    return {
        "amount": fee,
        "application": None,
        "currency": dispute["currency"],
        "description": words,
        "type": "stripe_fee",
    }
