"""How a payment method is saved: setup intents, Checkout sessions in setup mode, billing portal sessions."""

from payments.sandbox.scope import JSON


def setup_intent(id_: str, created: int, livemode: bool, secret: str) -> JSON:
    return {
        "id": id_,
        "object": "setup_intent",
        "allowed_payment_method_types": None,
        "application": None,
        "automatic_payment_methods": {"allow_redirects": "always", "enabled": True},
        "cancellation_reason": None,
        "client_secret": f"{id_}_secret_{secret}",
        "created": created,
        "customer": None,
        "customer_account": None,
        "description": None,
        "excluded_payment_method_types": None,
        "flow_directions": None,
        "last_setup_error": None,
        "latest_attempt": None,
        "livemode": livemode,
        "mandate": None,
        "metadata": {},
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": None,
        "payment_method_options": {
            "card": {"mandate_options": None, "network": None, "request_three_d_secure": "automatic"}
        },
        "payment_method_types": ["card"],
        "single_use_mandate": None,
        "status": "requires_payment_method",
        "usage": "off_session",
    }


# What a session that saves a card makes no use of.
UNUSED = (
    "adaptive_pricing", "after_expiration", "allow_promotion_codes", "allowed_payment_method_types", "amount_subtotal",
    "amount_total", "billing_address_collection", "branding_settings", "cancel_url", "client_reference_id",
    "client_secret", "collected_information", "consent", "consent_collection", "currency", "currency_conversion",
    "customer", "customer_account", "customer_creation", "customer_details", "customer_email", "discounts",
    "excluded_payment_method_types", "integration_identifier", "invoice", "invoice_creation", "locale",
    "name_collection", "optional_items", "origin_context", "payment_intent", "payment_link",
    "payment_method_configuration_details", "permissions", "phone_number_collection", "presentment_details",
    "recovered_from", "redirect_on_completion", "return_url", "saved_payment_method_options",
    "shipping_address_collection", "shipping_cost", "submit_type", "subscription", "success_url", "tax_id_collection",
    "total_details", "wallet_options",
)  # fmt: skip


def checkout_session(id_: str, created: int, livemode: bool, intent: str, expires_at: int, url: str) -> JSON:
    """A session in setup mode, as it is made."""
    return {
        **dict.fromkeys(UNUSED),
        "id": id_,
        "object": "checkout.session",
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "created": created,
        "custom_fields": [],
        "custom_text": dict.fromkeys(("after_submit", "shipping_address", "submit", "terms_of_service_acceptance")),
        "expires_at": expires_at,
        "livemode": livemode,
        "metadata": {},
        "mode": "setup",
        "payment_method_collection": "always",
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "payment_method_types": ["card"],
        "payment_status": "no_payment_required",
        "setup_intent": intent,
        "shipping_options": [],
        "status": "open",
        "ui_mode": "hosted_page",
        "url": url,
    }


def customer_details(email: str | None, name: str | None) -> JSON:
    return {
        "address": None,
        "business_name": None,
        "email": email,
        "individual_name": None,
        "name": name,
        "phone": None,
        "tax_exempt": "none",
        "tax_ids": None,
    }


def portal_session(id_: str, created: int, livemode: bool, customer: str, url: str) -> JSON:
    return {
        "id": id_,
        "object": "billing_portal.session",
        "after_expiration": None,
        "configuration": "",
        "created": created,
        "customer": customer,
        "customer_account": None,
        "flow": None,
        "livemode": livemode,
        "locale": None,
        "on_behalf_of": None,
        "return_url": None,
        "url": url,
    }
