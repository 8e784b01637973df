"""What goes wrong tells nobody a secret: neither the page, nor the log, nor what developers are mailed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from unittest import mock

import pytest
from django.test import Client, RequestFactory
from django.urls import reverse
from django.views.debug import get_exception_reporter_class
from pytest_django import Settings

from billing_portal.accounts.models import Operator, Role
from tests.api.client import Api
from tests.portal.scene import PASSWORD, Scene, make_scene

SECRETS = ["sk_live_ThisIsASecret1", "whsec_ThisIsASecret2", "bp_ThisIsASecret3", PASSWORD, "SessionOfSomebody4"]


@pytest.fixture
def scene(db: None) -> Scene:
    return make_scene()


def breaking(*_: object, **__: object) -> None:
    raise RuntimeError("the view broke")


def assert_silent(text: str) -> None:
    assert [secret for secret in SECRETS if secret in text] == []


def test_neither_the_answer_nor_the_log(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    """A mistake of ours while each of the requests is carried out that bring a secret with them."""
    api, client = Api(scene.vendor), Client(raise_request_exception=False)
    client.force_login(scene.operators[Role.OWNER])
    client.cookies["planted"] = SECRETS[4]
    api.http.raise_request_exception = False
    api_headers = {"Authorization": f"Bearer {api.key}", "X-Authorization": f"Bearer {SECRETS[2]}"}
    with caplog.at_level(logging.DEBUG), mock.patch.object(Operator, "check_password", breaking):
        owner = scene.operators[Role.OWNER].email
        answers = [
            client.post(reverse("portal:change_password"), {"old_password": PASSWORD, "new_password1": SECRETS[0]}),
            Client(raise_request_exception=False).post(
                reverse("portal:sign_in"), {"username": owner, "password": PASSWORD}
            ),
        ]
        with mock.patch("billing_portal.api.customers.CustomersView.get", breaking):
            answers.append(api.http.get("/api/v1/customers", headers=api_headers))
        with mock.patch("billing_portal.portal.stripe_keys.KeysForm.is_valid", breaking):
            answers.append(
                client.post(reverse("portal:stripe_keys", args=["test"]), {"secret_key": SECRETS[0], "x": SECRETS[1]})
            )
    assert [answer.status_code for answer in answers] == [500] * 4
    for answer in answers:
        assert_silent(answer.content.decode() + str(dict(answer.items())))
    assert "the view broke" in caplog.text  # it was looked at where it would stand
    assert_silent(caplog.text.replace(api.key, SECRETS[2]))


@pytest.mark.parametrize("shown", ["text", "html"])
def test_what_a_report_to_developers_holds(scene: Scene, shown: str, settings: Settings) -> None:
    """Django's full report of a mistake, with the request, its cookies, the variables and the settings."""
    settings.DEBUG = False
    settings.STRIPE_TEST_SECRET_KEY = SECRETS[0]
    settings.STRIPE_WEBHOOK_SECRETS = [SECRETS[1]]
    settings.CELERY_BROKER_URL = settings.SENTRY_DSN = f"redis://:{SECRETS[1]}@broker.example:6379"
    settings.CACHES = settings.CACHES | {"other": {"LOCATION": f"redis://:{SECRETS[1]}@broker.example"}}
    headers = {"Authorization": f"Bearer {SECRETS[2]}", "X-Authorization": f"Bearer {SECRETS[2]}"}
    request = RequestFactory().post(
        "/sign-in/?next=/", {"username": "x", "password": PASSWORD, "secret_key": SECRETS[0], "code": SECRETS[1]},
        headers=headers,
    )  # fmt: skip
    request.COOKIES["sessionid"] = SECRETS[4]
    request.META["HTTP_COOKIE"] = f"sessionid={SECRETS[4]}"
    request.META["HTTP_STRIPE_SIGNATURE"] = SECRETS[1]
    try:
        _at_work(request, PASSWORD)
    except RuntimeError as error:
        reporter = get_exception_reporter_class(request)(request, type(error), error, error.__traceback__)
        text = reporter.get_traceback_text() if shown == "text" else reporter.get_traceback_html()
    assert "the view broke" in text
    assert_silent(text)


def _at_work(request: object, password: str) -> None:
    secret_key = SECRETS[0]
    work: Callable[..., None] = breaking
    work(request, password, secret_key)
