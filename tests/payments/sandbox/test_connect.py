"""Connect: consent, codes, tokens, and the end of a connection."""

import json
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import stripe

from payments.sandbox.models import Account, Connection, OAuthCode
from tests.sandbox_server import SANDBOX_ONLY

pytestmark = SANDBOX_ONLY

BACK = "http://127.0.0.1/back"


@pytest.fixture
def newcomer(stripe_sandbox) -> Account:
    return Account.objects.create(id="acct_newcomer", name="Newcomer", created=1)


@pytest.fixture
def consent(stripe_sandbox, client):
    """Open the page and answer it; returns what the redirect carries back."""

    def give(account: str, answer: str = "connect") -> dict[str, str]:
        url = client.oauth.authorize_url(
            {"response_type": "code", "scope": "read_write", "state": "s", "redirect_uri": BACK}
        )
        page = requests.get(url, timeout=5)
        assert "Connect to Sandbox platform" in page.text
        posted = requests.post(url, data={"account": account, "answer": answer}, allow_redirects=False, timeout=5)
        assert posted.headers["Location"].startswith(BACK)
        return {k: v[0] for k, v in parse_qs(urlsplit(posted.headers["Location"]).query).items()}

    return give


def test_consent_leads_to_a_connection(stripe_sandbox, client, newcomer, consent):
    back = consent(newcomer.id)
    assert (back["state"], back["scope"]) == ("s", "read_write")
    token = client.oauth.token({"grant_type": "authorization_code", "code": back["code"]})
    assert (token.stripe_user_id, token.livemode, token.scope) == (newcomer.id, False, "read_write")
    assert stripe_sandbox.client(stripe_account=newcomer.id).v1.customers.list().data == []
    own = stripe.StripeClient(token.access_token, base_addresses={"api": stripe_sandbox.api_base})
    assert own.v1.accounts.retrieve_current().id == newcomer.id


def test_a_code_is_good_once(client, newcomer, consent):
    code = consent(newcomer.id)["code"]
    client.oauth.token({"grant_type": "authorization_code", "code": code})
    with pytest.raises(stripe.oauth_error.InvalidGrantError):
        client.oauth.token({"grant_type": "authorization_code", "code": code})


def test_a_code_does_not_last(client, newcomer, consent):
    code = consent(newcomer.id)["code"]
    for stored in OAuthCode.objects.all():
        stored.issued_at -= timedelta(minutes=6)
        stored.save()
    with pytest.raises(stripe.oauth_error.InvalidGrantError):
        client.oauth.token({"grant_type": "authorization_code", "code": code})


def test_a_person_may_refuse(newcomer, consent):
    back = consent(newcomer.id, "deny")
    assert (back["error"], back["state"]) == ("access_denied", "s")
    assert not OAuthCode.objects.exists()


def test_an_account_may_be_opened_on_the_spot(stripe_sandbox, client, consent):
    before = set(Account.objects.values_list("id", flat=True))
    token = client.oauth.token({"grant_type": "authorization_code", "code": consent("new")["code"]})
    assert token.stripe_user_id not in before
    assert stripe_sandbox.client(stripe_account=token.stripe_user_id).v1.customers.list().data == []


def test_live_mode_is_asked_for_and_used_with_keys_of_its_own(stripe_sandbox, client, newcomer):
    key, client_id = stripe_sandbox.open_live_mode()
    bases = {"api": stripe_sandbox.api_base, "connect": stripe_sandbox.api_base}
    live = stripe.StripeClient(key, client_id=client_id, base_addresses=bases)
    url = live.oauth.authorize_url({"scope": "read_write", "redirect_uri": BACK})
    assert "Live mode" in requests.get(url, timeout=5).text
    answer = {"account": newcomer.id, "answer": "connect"}
    back = requests.post(url, data=answer, allow_redirects=False, timeout=5).headers["Location"]
    [code] = parse_qs(urlsplit(back).query)["code"]
    with pytest.raises(stripe.oauth_error.InvalidGrantError):
        client.oauth.token({"grant_type": "authorization_code", "code": code})
    token = live.oauth.token({"grant_type": "authorization_code", "code": code})
    assert (token.livemode, token.stripe_publishable_key[:8]) == (True, "pk_live_")
    assert live.v1.accounts.retrieve(newcomer.id).id == newcomer.id
    assert client.v1.accounts.retrieve(newcomer.id).id == newcomer.id  # a test key reaches it as well
    live.oauth.deauthorize({"stripe_user_id": newcomer.id})
    with pytest.raises(stripe.PermissionError):
        live.v1.accounts.retrieve(newcomer.id)


def test_an_unknown_application_is_told_so(stripe_sandbox):
    answer = requests.get(f"{stripe_sandbox.api_base}/oauth/authorize?client_id=ca_x", timeout=5)
    assert answer.status_code == 400


def test_the_end_of_a_connection_is_announced_and_enforced(stripe_sandbox, client, inbox):
    stripe_sandbox.send_webhooks_to(inbox.url)
    ended = client.oauth.deauthorize({"stripe_user_id": stripe_sandbox.account})
    assert ended.stripe_user_id == stripe_sandbox.account
    with pytest.raises(stripe.PermissionError):
        client.v1.customers.list()
    stripe_sandbox.settle()
    [event] = [json.loads(r.body) for r in inbox.received]
    assert (event["type"], event["account"]) == ("account.application.deauthorized", stripe_sandbox.account)
    assert event["data"]["object"]["object"] == "application"
    assert not Connection.objects.exists()
    with pytest.raises(stripe.oauth_error.InvalidClientError):
        client.oauth.deauthorize({"stripe_user_id": stripe_sandbox.account})
