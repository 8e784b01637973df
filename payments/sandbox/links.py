"""Where the pages that people see are found."""

from django.conf import settings

from payments.sandbox.scope import Scope


def page(scope: Scope, kind: str, token: str) -> str:
    """The address of a page of this account."""
    return f"{settings.STRIPE_API_BASE}/{kind}/{scope.account}/{token}"
