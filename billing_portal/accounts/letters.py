"""What operators are told by e-mail: an invitation, and the way to a new password."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from billing_portal.accounts.invitations import link_to
from billing_portal.accounts.models import Invitation, Operator


def send_invitation(pk: int, *, real_now: datetime) -> None:
    """The latest link, unless nobody waits for it any more."""
    invitation = Invitation.objects.open().filter(pk=pk, sent_at__isnull=True).select_related("vendor").first()
    if invitation is None or invitation.expires_at <= real_now:
        return
    subject = f"{invitation.vendor} invites you to its billing portal"
    _send(invitation.email, subject, "invitation", {"invitation": invitation, "link": link_to(invitation)})
    Invitation.objects.filter(pk=pk, nonce=invitation.nonce).update(sent_at=real_now)


def send_password_link(email: str) -> None:
    """To whoever has an account that may sign in; nobody else hears anything."""
    operator = Operator.objects.filter(email__iexact=email, is_active=True).first()
    if operator is None:
        return
    minutes = settings.PASSWORD_RESET_TIMEOUT // 60
    context = {"operator": operator, "link": _password_link(operator), "minutes": minutes}
    _send(operator.email, "Choose a new password for the billing portal", "password", context)


def _password_link(operator: Operator) -> str:
    """Works once: the token is made from the password that it is there to replace."""
    uid = urlsafe_base64_encode(force_bytes(operator.pk))
    path = reverse("portal:choose_password", args=[uid, default_token_generator.make_token(operator)])
    return str(settings.PUBLIC_URL).rstrip("/") + path


def _send(to: str, subject: str, template: str, context: dict[str, object]) -> None:
    body = render_to_string(f"accounts/email/{template}.txt", context)
    EmailMessage(subject, body, to=[to]).send()
