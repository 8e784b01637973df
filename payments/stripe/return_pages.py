"""Where Stripe's pages send people back to. They are somebody's customers and sign in nowhere here, so these
pages say what happened and nothing else: not whose customer it was, and nothing from the address."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe


def _saying(heading: str, words: str) -> Callable[[HttpRequest], HttpResponse]:
    @require_safe
    def page(request: HttpRequest) -> HttpResponse:
        return render(request, "payments/return.html", {"heading": heading, "words": words})

    return page


saved = _saying("Thank you", "Your payment method is saved. You can close this page.")
unchanged = _saying("You are done here", "You can close this page.")
