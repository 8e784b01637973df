"""What may each role do? The portal asks ``allows`` before every change; looking is open to every role."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from billing_portal.accounts.models import Role


class Permission(StrEnum):
    APPROVE_INVOICE = "approve_invoice"
    PAUSE_INVOICE = "pause_invoice"
    PAUSE_BILLING = "pause_billing"
    PUSH_INVOICE = "push_invoice"
    PAY_INVOICE = "pay_invoice"
    CREATE_INVOICE = "create_invoice"
    CHANGE_DUE_DATE = "change_due_date"
    SEND_INVOICE = "send_invoice"
    MARK_INVOICE_PAID = "mark_invoice_paid"
    VOID_INVOICE = "void_invoice"
    GIVE_UP_INVOICE = "give_up_invoice"
    REGENERATE_INVOICE = "regenerate_invoice"
    DELETE_INVOICE = "delete_invoice"
    REFUND_INVOICE = "refund_invoice"
    LINK_CUSTOMER = "link_customer"
    CHANGE_OVERRIDE = "change_override"
    CHANGE_SETTINGS = "change_settings"
    MOVE_CLOCK = "move_clock"
    CHANGE_CATALOG = "change_catalog"
    CHANGE_CUSTOMER = "change_customer"
    CHANGE_SUBSCRIPTION = "change_subscription"
    MANAGE_API_KEYS = "manage_api_keys"
    MANAGE_OPERATORS = "manage_operators"
    MANAGE_WEBHOOKS = "manage_webhooks"
    REPLAY_EVENTS = "replay_events"
    RECONCILE = "reconcile"
    CONNECT_STRIPE = "connect_stripe"
    MANAGE_PERSONAL_DATA = "manage_personal_data"


P = Permission

_SUPPORT = frozenset({P.PUSH_INVOICE, P.SEND_INVOICE, P.LINK_CUSTOMER, P.CHANGE_CUSTOMER})
_BILLING = _SUPPORT | {
    P.APPROVE_INVOICE,
    P.PAUSE_INVOICE,
    P.PAUSE_BILLING,
    P.MARK_INVOICE_PAID,
    P.PAY_INVOICE,
    P.CREATE_INVOICE,
    P.CHANGE_DUE_DATE,
    P.VOID_INVOICE,
    P.GIVE_UP_INVOICE,
    P.REGENERATE_INVOICE,
    P.DELETE_INVOICE,
    P.REFUND_INVOICE,
    P.CHANGE_OVERRIDE,
    P.CHANGE_CATALOG,
    P.CHANGE_SUBSCRIPTION,
    P.REPLAY_EVENTS,
    P.RECONCILE,
}

PERMISSIONS: Mapping[Role, frozenset[Permission]] = {
    Role.OWNER: frozenset(Permission),
    Role.BILLING: _BILLING,
    Role.SUPPORT: _SUPPORT,
    Role.READ_ONLY: frozenset(),
}


def allows(role: Role, permission: Permission) -> bool:
    return permission in PERMISSIONS[role]
