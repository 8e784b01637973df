"""Which addresses a webhook may go to is decided at each delivery, and it goes to the very address that was judged."""

from __future__ import annotations

import socket
from typing import Any

import pytest
import requests
from pytest_django import Settings

from customers.events.post import session

NAME = "hooks.example.com"
URL = f"http://{NAME}/events"
PUBLIC = "93.184.215.14"


class NotConnected(OSError):
    """The test has no network: where it would have gone is all that counts."""


@pytest.fixture
def went_to(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that a connection was tried to."""
    tried: list[str] = []

    def connect(self: socket.socket, address: tuple[str, int]) -> None:
        tried.append(address[0])
        raise NotConnected("no network")

    monkeypatch.setattr(socket.socket, "connect", connect)
    return tried


def names(monkeypatch: pytest.MonkeyPatch, *answers: str) -> None:
    """What the name is at each look-up; the last answer stays."""
    left = list(answers)

    def getaddrinfo(host: str, port: int, *args: Any, **kwargs: Any) -> list[Any]:
        # A number is no name: it stands for itself, as it does with the system's own.
        address = host if host != NAME else left.pop(0) if len(left) > 1 else left[0]
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        where = (address, port, 0, 0) if ":" in address else (address, port)
        return [(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", where)]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


PRIVATE = [
    "127.0.0.1", "10.0.0.5", "172.16.3.4", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",  # noqa: S104
    "::1", "fe80::1", "fd00::1", "::ffff:10.0.0.5",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_a_name_of_a_private_address_is_not_reached(
    address: str, went_to: list[str], monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.WEBHOOKS_ALLOW_LOOPBACK = False
    names(monkeypatch, address)
    with pytest.raises(requests.RequestException):
        session().post(URL, data=b"{}")
    assert went_to == []


def test_the_connection_goes_to_the_address_that_was_judged(
    went_to: list[str], monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    """A name that is public when it is judged and private a moment later leads nowhere else."""
    settings.WEBHOOKS_ALLOW_LOOPBACK = False
    names(monkeypatch, PUBLIC, "10.0.0.5")
    with pytest.raises(requests.RequestException):
        session().post(URL, data=b"{}")
    assert set(went_to) <= {PUBLIC}
    assert went_to


def test_each_delivery_judges_anew(went_to: list[str], monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    settings.WEBHOOKS_ALLOW_LOOPBACK = False
    names(monkeypatch, PUBLIC)
    with pytest.raises(requests.RequestException):
        session().post(URL, data=b"{}")
    went_to.clear()
    names(monkeypatch, "10.0.0.5")
    with pytest.raises(requests.RequestException):
        session().post(URL, data=b"{}")
    assert went_to == []
