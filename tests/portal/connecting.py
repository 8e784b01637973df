"""A browser's way to Stripe's consent page and back, without the browser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
from django.test import Client
from django.urls import reverse

CALLBACK = "portal:stripe_callback"


@dataclass
class Visit:
    """``link`` leads to the consent page; ``answer`` presses a button there and gives what comes back."""

    browser: Client
    link: str

    def answer(self, account: str, button: str = "connect") -> dict[str, str]:
        posted = requests.post(self.link, data={"account": account, "answer": button}, allow_redirects=False, timeout=5)
        back = urlsplit(posted.headers["Location"])
        assert back.path == reverse(CALLBACK)
        return {name: values[0] for name, values in parse_qs(back.query).items()}

    def come_back(self, given: dict[str, str], **options: Any) -> Any:
        return self.browser.get(reverse(CALLBACK), given, follow=True, **options)

    def connect(self, account: str) -> Any:
        return self.come_back(self.answer(account))


def leave(browser: Client, mode: str = "test") -> Visit:
    answer = browser.post(reverse("portal:stripe_connect", args=[mode]))
    assert answer.status_code == 302, answer.content
    assert "/oauth/authorize?" in answer["Location"], browser.get(answer["Location"]).content.decode()
    return Visit(browser, answer["Location"])
