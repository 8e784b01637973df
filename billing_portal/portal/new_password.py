"""A forgotten password: the link to a new one is e-mailed. The answer is the same whether or not the address has
an account, and so is the time it takes, because a worker looks for the account."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.contrib import messages
from django.contrib.auth.forms import SetPasswordForm
from django.contrib.auth.views import PasswordResetConfirmView
from django.http import HttpRequest, HttpResponse
from django.urls import reverse_lazy
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from billing_portal.accounts.models import Operator
from billing_portal.accounts.operators import tell_of_new_password
from billing_portal.accounts.tasks import send_password_link
from billing_portal.accounts.throttle import RESET_ADDRESS, SIGN_IN_ACCOUNT, in_words, reset_tries, sign_in_tries
from billing_portal.portal.plain import say, show_plain, unskinned

SENT = "If {email} has an account here, a link to a new password is on its way. It works for one hour."


class ForgottenForm(forms.Form):
    email = forms.EmailField(label="E-mail address", widget=forms.EmailInput({"autocomplete": "username"}))


@require_http_methods(["GET", "HEAD", "POST"])
def forgotten(request: HttpRequest) -> HttpResponse:
    form = ForgottenForm(request.POST if request.method == "POST" else None)
    if not form.is_valid():
        return show_plain(request, "plain/forgotten.html", {"form": form})
    email: str = form.cleaned_data["email"]
    tries = reset_tries(request, email, real_now=timezone.now())
    wait = tries.wait(RESET_ADDRESS)
    if wait is not None:
        words = f"Too many links were asked for from here. Try again in {in_words(wait)}."
        return say(request, "Please wait", words, status=429)
    if tries.wait() is None:
        send_password_link.delay(email)
    tries.count()
    return say(request, "Look into your mailbox", SENT.format(email=email), sign_in=True)


class ChoosePassword(PasswordResetConfirmView):
    """Every session of the account ends with its old password."""

    template_name = "plain/choose_password.html"
    success_url = reverse_lazy("portal:sign_in")

    def dispatch(self, *args: Any, **kwargs: Any) -> HttpResponse:
        return unskinned(cast(HttpResponse, super().dispatch(*args, **kwargs)))

    def form_valid(self, form: SetPasswordForm[Operator]) -> HttpResponse:
        answer = super().form_valid(form)
        operator, real_now = cast(Operator, self.user), timezone.now()
        tell_of_new_password(operator, real_now=real_now)
        sign_in_tries(None, operator.email, real_now=real_now).forget(SIGN_IN_ACCOUNT)
        messages.success(self.request, "Your new password is saved. Sign in with it.")
        return answer
