"""Accounts: who a request acts for."""

from payments.sandbox.errors import no_access
from payments.sandbox.models import Account, Connection
from payments.sandbox.params import Params
from payments.sandbox.routing import endpoint
from payments.sandbox.scope import JSON, Scope


@endpoint("GET", "/v1/account")
def own(scope: Scope, params: Params) -> JSON:
    return render(Account.objects.get(pk=scope.account))


@endpoint("GET", "/v1/accounts/{id}")
def retrieve(scope: Scope, params: Params, id: str) -> JSON:
    # A test key reaches accounts that were connected in live mode as well.
    modes = [True] if scope.livemode else [True, False]
    connected = Connection.objects.filter(platform=scope.platform, account=id, livemode__in=modes).exists()
    if id not in (scope.account, scope.platform) and not connected:
        raise no_access("sk_live_..." if scope.livemode else "sk_test_...", id)
    return render(Account.objects.get(pk=id))


def render(account: Account) -> JSON:
    return {
        "id": account.id,
        "object": "account",
        "business_profile": {
            "mcc": None,
            "name": account.name,
            "product_description": None,
            "support_address": None,
            "support_email": account.email or None,
            "support_phone": None,
            "support_url": None,
            "url": None,
        },
        "business_type": "company",
        "capabilities": {"card_payments": "active", "transfers": "active"},
        "charges_enabled": True,
        "controller": {"type": "account"},
        "country": account.country,
        "created": account.created,
        "default_currency": account.currency,
        "details_submitted": True,
        "email": account.email or None,
        "metadata": {},
        "payouts_enabled": True,
        "settings": {
            "branding": {"icon": None, "logo": None, "primary_color": None, "secondary_color": None},
            "card_payments": {
                "decline_on": {"avs_failure": False, "cvc_failure": False},
                "statement_descriptor_prefix": None,
            },
            "dashboard": {"display_name": account.name, "timezone": "Etc/UTC"},
            "payments": {"statement_descriptor": None},
        },
        "type": "standard",
    }
