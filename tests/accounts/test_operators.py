"""People come to a vendor by an e-mailed link, change roles, forget passwords, and leave."""

import re
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.core import mail
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from billing_portal.accounts.models import Invitation, Membership, Operator, Role
from customers.events.models import Event
from tests.factories import VendorFactory
from tests.portal.scene import PASSWORD, Scene, make_operator, make_scene

LIST = reverse("portal:operators")
FRESH = "quiet-otter-7-lanterns"


@pytest.fixture
def scene(db: None) -> Scene:
    return make_scene()


@pytest.fixture(autouse=True)
def nothing_counted() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def owner(scene: Scene) -> Client:
    return sign_in(Client(), scene.operators[Role.OWNER].email)


def sign_in(client: Client, email: str, password: str = PASSWORD) -> Client:
    client.post(reverse("portal:sign_in"), {"username": email, "password": password})
    return client


def is_signed_in(client: Client) -> bool:
    return client.get(reverse("portal:dashboard")).status_code == 200


def link_of(message: mail.EmailMessage) -> str:
    [link] = re.findall(r"https?://\S+", str(message.body))
    return urlsplit(link).path


def follow(client: Client, link: str, sent: dict[str, str]) -> str:
    return client.post(link, sent, follow=True).content.decode()


def kinds(scene: Scene) -> list[str]:
    return [e.kind for e in Event.objects.of(scene.vendor).filter(kind__startswith="operator.").order_by("id")]


@pytest.mark.django_db(transaction=True)
def test_somebody_new_is_invited_and_works(scene: Scene, owner: Client) -> None:
    page = owner.post(LIST, {"email": "Anna@Example.com", "role": "billing"}, follow=True).content.decode()
    assert "anna@example.com is invited." in page
    [message] = mail.outbox
    assert message.to == ["anna@example.com"]
    assert "Northwind Cloud" in message.subject
    anna, link = Client(), link_of(message)

    form = anna.get(link)
    assert "invites you" in form.content.decode()
    assert "unsafe" not in form["Content-Security-Policy"]
    given = {"first_name": "Anna", "last_name": "Berg", "password": "anna@example.com", "again": "anna@example.com"}
    assert "too similar to the e-mail address" in follow(anna, link, given)
    assert "differ" in follow(anna, link, given | {"password": FRESH})
    assert "You now work for Northwind Cloud" in follow(anna, link, given | {"password": FRESH, "again": FRESH})

    account = Operator.objects.get(email="anna@example.com")
    assert account.memberships.get().role == Role.BILLING
    assert "Invited" not in owner.get(LIST).content.decode()
    assert Client().get(link).status_code == 410  # it works once
    assert is_signed_in(sign_in(Client(), "ANNA@example.com", FRESH))
    assert kinds(scene) == ["operator.invited", "operator.joined"]


@pytest.mark.django_db(transaction=True)
def test_who_has_an_account_already_just_joins(scene: Scene, owner: Client) -> None:
    other = make_operator(VendorFactory(display_name="Southwind"), Role.OWNER, "bo@southwind.example")
    owner.post(LIST, {"email": other.email, "role": "support"})
    link = link_of(mail.outbox[0])
    assert "has an account already" in Client().get(link).content.decode()
    assert other.memberships.count() == 1  # looking changes nothing
    assert "You have joined" in follow(Client(), link, {})
    browser = sign_in(Client(), other.email)
    northwind = {"vendor": str(scene.vendor.uuid)}
    assert "You now work for Northwind Cloud" in follow(browser, reverse("portal:choose_vendor"), northwind)


@pytest.mark.django_db(transaction=True)
def test_only_the_latest_link_opens_anything(scene: Scene, owner: Client) -> None:
    owner.post(LIST, {"email": "anna@example.com", "role": "billing"})
    assert "is invited already" in owner.post(LIST, {"email": "anna@example.com", "role": "owner"}).content.decode()
    invitation = Invitation.objects.get()
    assert invitation.sent_at is not None
    owner.post(reverse("portal:send_invitation_again", args=[invitation.uuid]))
    first, second = map(link_of, mail.outbox)
    assert Client().get(first).status_code == 410
    assert Client().get(second).status_code == 200
    Invitation.objects.update(expires_at=timezone.now() - timedelta(minutes=1))
    assert "has expired" in Client().get(second).content.decode()
    owner.post(reverse("portal:revoke_invitation", args=[invitation.uuid]))
    assert "taken back" in Client().post(second).content.decode()
    assert Client().get(second + "x").status_code in (404, 410)
    assert kinds(scene) == ["operator.invited", "operator.invited_again", "operator.invitation_revoked"]


def test_a_new_role_and_the_end_take_effect_at_once(scene: Scene, owner: Client) -> None:
    clerk = scene.operators[Role.BILLING]
    browser = sign_in(Client(), clerk.email)
    membership = Membership.objects.get(operator=clerk)
    page = follow(owner, reverse("portal:change_role", args=[membership.pk]), {"role": "read_only"})
    assert "has to sign in again" in page
    assert not is_signed_in(browser)
    assert is_signed_in(sign_in(browser, clerk.email))
    owner.post(reverse("portal:remove_operator", args=[membership.pk]))
    assert not is_signed_in(browser)
    assert "do not belong to a vendor" in sign_in(browser, clerk.email).get("/").content.decode()
    assert Operator.objects.filter(pk=clerk.pk).exists()
    assert kinds(scene) == ["operator.role_changed", "operator.removed"]


def test_the_last_owner_stays_one(scene: Scene, owner: Client) -> None:
    mine = Membership.objects.get(operator=scene.operators[Role.OWNER])
    for address, sent in ((reverse("portal:change_role", args=[mine.pk]), {"role": "billing"}),
                          (reverse("portal:remove_operator", args=[mine.pk]), {})):  # fmt: skip
        assert "is the last owner of Northwind Cloud" in follow(owner, address, sent)
    assert Membership.objects.filter(pk=mine.pk, role=Role.OWNER).exists()
    second = make_operator(scene.vendor, Role.OWNER, "second@northwind.example")
    Operator.objects.filter(pk=second.pk).update(is_active=False)  # who cannot sign in lets nobody in
    assert "is the last owner" in follow(owner, reverse("portal:remove_operator", args=[mine.pk]), {})


def test_operators_of_another_vendor_are_not_found(scene: Scene, owner: Client) -> None:
    other = Membership.objects.get(operator=make_operator(VendorFactory(), Role.OWNER))
    assert owner.post(reverse("portal:remove_operator", args=[other.pk])).status_code == 404
    assert owner.post(reverse("portal:change_role", args=[other.pk]), {"role": "billing"}).status_code == 404


def test_a_forgotten_password(scene: Scene, client: Client) -> None:
    email = scene.operators[Role.OWNER].email
    elsewhere = sign_in(Client(), email)
    address = reverse("portal:forgotten_password")
    known = client.post(address, {"email": email.upper()}).content.decode()
    unknown = client.post(address, {"email": "NOBODY@northwind.example"}).content.decode()
    assert unknown == known.replace(email.upper(), "NOBODY@northwind.example")
    [message] = mail.outbox
    link = link_of(message)
    form = client.get(link, follow=True)
    assert "unsafe" not in form.headers["Content-Security-Policy"]
    where = form.redirect_chain[-1][0]
    assert "too short" in follow(client, where, {"new_password1": "a", "new_password2": "a"})
    assert "Your new password is saved" in follow(client, where, {"new_password1": FRESH, "new_password2": FRESH})
    assert "does not work any more" in Client().get(link, follow=True).content.decode()  # it works once
    assert not is_signed_in(elsewhere)
    assert is_signed_in(sign_in(Client(), email, FRESH))
    assert kinds(scene) == ["operator.password_changed"]


def test_links_are_sent_a_few_times_only(scene: Scene, client: Client) -> None:
    address, email = reverse("portal:forgotten_password"), scene.operators[Role.OWNER].email
    answers = {client.post(address, {"email": email}).content for _ in range(5)}
    assert len(answers) == 1  # who asks does not learn that the limit is reached
    assert len(mail.outbox) == 3
    for number in range(20):
        answer = client.post(address, {"email": f"somebody-{number}@example.com"})
    assert answer.status_code == 429
    assert "Try again in" in answer.content.decode()


def test_guessing_a_password_has_an_end(scene: Scene, client: Client) -> None:
    email = scene.operators[Role.OWNER].email
    for _ in range(10):
        sign_in(client, email, "guess")
    refused = client.post(reverse("portal:sign_in"), {"username": email.upper(), "password": PASSWORD})
    assert "Too many attempts that failed. Wait" in refused.content.decode()
    assert not is_signed_in(client)
    assert is_signed_in(sign_in(Client(), scene.operators[Role.BILLING].email))  # others go on


def test_an_address_that_guesses_many_accounts_waits(scene: Scene, client: Client) -> None:
    for number in range(50):
        sign_in(client, f"somebody-{number}@example.com", "guess")
    assert not is_signed_in(sign_in(client, scene.operators[Role.OWNER].email))
    elsewhere = Client(REMOTE_ADDR="203.0.113.9")
    assert is_signed_in(sign_in(elsewhere, scene.operators[Role.OWNER].email))
