"""Sign-in codes, lived through: set up, asked for, lost, recovered from, turned off; and what guessing comes to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from unittest import mock

import pyotp
import pytest
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils.timezone import override

from billing_portal.accounts.models import Membership, Operator, RecoveryCode, Role, SecondFactor
from customers.events.models import Event
from tests.factories import VendorFactory
from tests.portal.scene import PASSWORD, Scene, make_scene

SCREEN, STEP, DASHBOARD = (reverse(f"portal:{name}") for name in ("sign_in_codes", "second_step", "dashboard"))


class Clock:
    """The time that codes go by. Sessions go by true time, so it begins there."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def wait(self, **delta: float) -> None:
        self.now += timedelta(**delta)


@pytest.fixture
def clock() -> Iterator[Clock]:
    clock = Clock()
    cache.clear()
    timezone = mock.Mock(now=lambda: clock.now, override=override)
    with (
        mock.patch("billing_portal.portal.second_factor.timezone", timezone),
        mock.patch("billing_portal.portal.access.timezone", timezone),
    ):
        yield clock
    cache.clear()


@pytest.fixture
def scene(db: None) -> Scene:
    return make_scene()


def sign_in(operator: Operator, client: Client | None = None, *, to: str = "") -> Client:
    client = client or Client()
    client.post(reverse("portal:sign_in"), {"username": operator.email, "password": PASSWORD, "next": to})
    return client


def is_in(client: Client) -> bool:
    return client.get(DASHBOARD).status_code == 200


def set_up(client: Client, clock: Clock) -> tuple[pyotp.TOTP, list[str]]:
    page = client.post(SCREEN, {"action": "begin", "password": PASSWORD}).content.decode()
    secret = re.findall(r"\b[A-Z2-7]{32}\b", page)[0]
    assert "data:image/svg+xml" in page
    app = pyotp.TOTP(secret)
    page = client.post(SCREEN, {"action": "confirm", "code": app.at(clock.now)}).content.decode()
    return app, re.findall(r"\b(?:[a-z2-7]{4}-){3}[a-z2-7]{4}\b", page)


def test_a_life_with_codes(scene: Scene, clock: Clock) -> None:
    owner = scene.operators[Role.OWNER]
    at_work, elsewhere = sign_in(owner), sign_in(owner)
    assert is_in(at_work)
    assert is_in(elsewhere)
    at_work.post(SCREEN, {"action": "begin", "password": "not this"})
    assert not SecondFactor.objects.exists()
    app, recovery = set_up(at_work, clock)
    assert len(set(recovery)) == 10
    assert is_in(at_work)
    assert not is_in(elsewhere)
    assert app.secret not in at_work.get(SCREEN).content.decode()
    assert recovery[0] not in at_work.get(SCREEN).content.decode()

    # The password alone opens nothing, and neither does the code with which it was set up.
    visitor = sign_in(owner, to="/invoices/")
    assert not is_in(visitor)
    assert "not right" in visitor.post(STEP, {"code": app.at(clock.now)}).content.decode()
    clock.wait(seconds=60)
    assert visitor.post(STEP, {"code": app.at(clock.now)})["Location"] == "/invoices/"
    assert is_in(visitor)
    again = sign_in(owner)
    again.post(STEP, {"code": app.at(clock.now)})  # somebody looked over the shoulder
    assert not is_in(again)

    # The phone is gone: a recovery code works, once.
    assert again.post(STEP, {"code": recovery[3].upper().replace("-", " ")}).status_code == 302
    assert is_in(again)
    once_more = sign_in(owner)
    once_more.post(STEP, {"code": recovery[3]})
    assert not is_in(once_more)

    # New ones replace the old; off again with the password.
    page = again.post(SCREEN, {"action": "renew", "password": PASSWORD}).content.decode()
    assert not set(recovery) & set(re.findall(r"(?:[a-z2-7]{4}-){3}[a-z2-7]{4}", page))
    assert RecoveryCode.objects.count() == 10
    again.post(SCREEN, {"action": "off", "password": PASSWORD})
    assert is_in(sign_in(owner))
    kinds = Event.objects.of(scene.vendor).filter(kind__startswith="operator.").order_by("pk")
    assert [e.kind for e in kinds] == ["operator.codes_on", "operator.recovered", "operator.codes_off"]


def test_what_is_kept_cannot_be_read(scene: Scene, clock: Clock) -> None:
    app, recovery = set_up(sign_in(scene.operators[Role.OWNER]), clock)
    with connection.cursor() as cursor:
        cursor.execute("SELECT f::text FROM accounts_secondfactor f UNION SELECT r::text FROM accounts_recoverycode r")
        kept = " ".join(row for (row,) in cursor.fetchall())
    assert app.secret not in kept
    assert not [code for code in recovery if code in kept or code.replace("-", "") in kept]


def test_guessing_has_an_end_and_so_has_patience(scene: Scene, clock: Clock) -> None:
    owner = scene.operators[Role.OWNER]
    app, recovery = set_up(sign_in(owner), clock)
    clock.now = clock.now.replace(minute=0, second=0) + timedelta(hours=1)  # where a window of counting begins
    visitor = sign_in(owner)
    assert Client().post(STEP, {"code": app.at(clock.now)}).status_code == 302  # without the password nobody is asked
    for _ in range(5):
        assert "not right" in visitor.post(STEP, {"code": "000000"}).content.decode()
    assert "Too many codes" in visitor.post(STEP, {"code": app.at(clock.now)}).content.decode()
    assert "Too many codes" in sign_in(owner).post(STEP, {"code": recovery[0]}).content.decode()
    clock.wait(hours=1)
    late = visitor.post(STEP, {"code": app.at(clock.now)})
    assert late["Location"] == reverse("portal:sign_in")
    assert not is_in(visitor)
    fresh = sign_in(owner)
    owner.set_password("quiet-otter-7-lanterns")  # the password changes between the two steps
    owner.save()
    assert fresh.post(STEP, {"code": app.at(clock.now)})["Location"] == reverse("portal:sign_in")


def test_the_tables_have_the_same_door(scene: Scene, clock: Clock) -> None:
    root = Operator.objects.create_superuser("root@example.com", PASSWORD)
    Membership.objects.create(operator=root, vendor=scene.vendor, role=Role.READ_ONLY)
    app, _ = set_up(sign_in(root), clock)
    clock.wait(minutes=1)
    client = Client()
    assert client.get(reverse("admin:index"), follow=True).redirect_chain[-1][0].startswith("/sign-in/")
    sign_in(root, client, to=reverse("admin:index"))
    assert client.get(reverse("admin:index")).status_code == 302
    assert client.post(STEP, {"code": app.at(clock.now)})["Location"] == reverse("admin:index")
    assert client.get(reverse("admin:index")).status_code == 200


def test_an_owner_helps_but_only_in_the_own_house(scene: Scene, clock: Clock) -> None:
    owner, support = scene.operators[Role.OWNER], scene.operators[Role.SUPPORT]
    theirs = sign_in(support)
    set_up(theirs, clock)
    address = reverse("portal:turn_off_codes", args=[support.memberships.get().pk])
    elsewhere = Membership.objects.create(operator=support, vendor=VendorFactory(), role=Role.OWNER)
    desk = sign_in(owner)
    assert sign_in(scene.operators[Role.BILLING]).post(address).status_code == 403
    assert "works for other vendors as well" in desk.post(address, follow=True).content.decode()
    assert SecondFactor.objects.filter(operator=support).exists()
    elsewhere.delete()
    clock.wait(minutes=1)
    assert "Turn off codes" in desk.get(reverse("portal:operators")).content.decode()
    assert "the password alone" in desk.post(address, follow=True).content.decode()
    assert not is_in(theirs)
    assert is_in(sign_in(support))

    set_up(sign_in(support), clock)
    call_command("turn_off_codes", support.email.upper(), stdout=StringIO())
    assert is_in(sign_in(support))
    with pytest.raises(CommandError, match="uses no sign-in codes"):
        call_command("turn_off_codes", support.email)
