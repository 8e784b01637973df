"""What becomes of deliveries, with receivers of every kind."""

from __future__ import annotations

import json
import logging
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from unittest import mock

import pytest
from django.core import mail

from customers.events import retries
from customers.events.deliver import claim_endpoints, deliver_next
from customers.events.models import Event, EventKind, WebhookAttempt, WebhookEndpoint
from customers.events.notices import send_notices
from customers.events.post import session
from tests.customers.events.conftest import T0

MINUTE = timedelta(minutes=1)


def spacing(delivery) -> list[timedelta]:
    times = list(delivery.tries.order_by("pk").values_list("attempted_at", flat=True))
    return [after - before for before, after in zip(times, times[1:], strict=False)]


def test_events_arrive_in_order_and_each_try_is_written_down(post_room, receiver):
    receiver.body = b"thank you \x00" + b"x" * 3000
    for n in range(5):
        post_room.tell(n)
    assert post_room.work() == 5
    assert receiver.subjects == [0, 1, 2, 3, 4]
    assert {d.state for d in post_room.deliveries()} == {"delivered"}
    assert post_room.work() == 0
    attempt = WebhookAttempt.objects.order_by("pk")[0]
    assert (attempt.attempted_at, attempt.status, attempt.error) == (T0, 204, "")
    assert attempt.duration_ms < 5000


def test_the_beginning_of_an_answer_is_kept(post_room, receiver):
    receiver.status, receiver.body = 400, b"no \x00thanks " + b"x" * 3000
    post_room.tell(1)
    post_room.work()
    attempt = WebhookAttempt.objects.get()
    assert attempt.answer.startswith("no thanks x")
    assert len(attempt.answer) == 500
    assert attempt.error == "The endpoint answered 400."


def test_a_failing_delivery_holds_later_ones_for_its_first_tries_only(post_room, receiver):
    receiver.refused = {0}
    for n in range(3):
        post_room.tell(n)
    assert post_room.work(T0) == 1, "the line stops behind it"
    assert post_room.work(T0 + 0.5 * MINUTE) == 0
    assert post_room.work(T0 + MINUTE) == 1
    assert post_room.work(T0 + 6 * MINUTE) == 3
    assert receiver.subjects == [0, 0, 0, 1, 2]
    receiver.refused = set()
    assert post_room.work(T0 + 20 * MINUTE) == 0
    assert post_room.work(T0 + 21 * MINUTE) == 1
    assert [d.state for d in post_room.deliveries()] == ["delivered"] * 3
    assert len({headers["webhook-id"] for headers, _ in receiver.received}) == 3


def test_an_endpoint_that_is_down_for_an_hour_gets_everything_afterwards(post_room, receiver):
    receiver.status = 503
    for n in range(3):
        post_room.tell(n)
    for minute in range(60):
        post_room.work(T0 + minute * MINUTE)
    receiver.status = 200
    post_room.work(T0 + timedelta(hours=3))
    assert {d.state for d in post_room.deliveries()} == {"delivered"}
    assert post_room.endpoint.failing_since is None


def test_tries_are_spaced_over_three_days_and_then_the_endpoint_is_disabled(post_room, receiver):
    receiver.status = 500
    post_room.tell(1)
    at = T0
    while post_room.work(at):
        [delivery] = post_room.deliveries()
        at = delivery.next_attempt_at or at
        assert post_room.work(at - MINUTE / 2) == 0
    assert (delivery.state, delivery.attempts) == ("failed", len(retries.BACKOFF) + 1)
    assert spacing(delivery) == list(retries.BACKOFF)
    endpoint = post_room.endpoint
    assert endpoint.disabled_at - T0 > timedelta(days=3)
    assert endpoint.disabled_reason == "Every delivery since 2026-03-01 00:00 UTC has failed."

    post_room.tell(2)
    assert post_room.work(T0 + timedelta(days=5)) == 0
    assert len(post_room.deliveries()) == 1, "nothing is kept for an endpoint that is disabled"


def test_one_event_that_is_refused_for_ever_does_not_disable_an_endpoint_that_takes_others(post_room, receiver):
    receiver.refused = {0}
    post_room.tell(0)
    at = T0
    for hour in range(24 * 4):
        post_room.tell(hour + 1)
        post_room.work(at := T0 + timedelta(hours=hour))
    assert at > T0 + retries.GIVE_UP_AFTER
    first, *others = post_room.deliveries()
    assert first.attempts > 8
    assert {d.state for d in others} == {"delivered"}
    assert post_room.endpoint.disabled_at is None


def test_the_vendor_is_told_once_by_mail(post_room, receiver):
    receiver.status = 410
    post_room.tell(1)
    post_room.work()
    [delivery] = post_room.deliveries()
    assert (delivery.state, delivery.attempts) == ("failed", 1)
    assert "410" in post_room.endpoint.disabled_reason
    with mock.patch("django.core.mail.backends.locmem.EmailBackend.send_messages", side_effect=OSError("down")):
        assert send_notices() == 0
    assert send_notices() == 1
    assert send_notices() == 0
    [message] = mail.outbox
    assert message.to == ["ops@northwind.example"]
    assert receiver.url in message.body
    assert "410" in message.body
    assert message.content_subtype == "plain"


def test_a_vendor_without_an_address_is_not_written_to(post_room):
    post_room.vendor.email = ""
    post_room.vendor.save()
    WebhookEndpoint.objects.update(is_notice_due=True, disabled_at=T0)
    assert send_notices() == 0
    assert mail.outbox == []


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        ("600", 10 * MINUTE),
        ("Sun, 01 Mar 2026 00:20:00 GMT", 20 * MINUTE),
        ("5", MINUTE),
        ("99999999999999999999", timedelta(days=1)),
        ("soon", MINUTE),
        ("-1", MINUTE),
        ("²", MINUTE),
    ],
)
def test_retry_after_is_honoured(post_room, receiver, header, wait):
    receiver.status, receiver.headers = 429, {"Retry-After": header.encode().decode("latin-1")}
    post_room.tell(1)
    post_room.tell(2)
    post_room.work()
    first, second = post_room.deliveries()
    assert first.next_attempt_at == post_room.endpoint.held_until == T0 + wait
    assert second.attempts == 0
    assert post_room.work(T0 + wait - timedelta(seconds=1)) == 0
    assert post_room.work(T0 + wait) == 1


def test_redirects_are_not_followed(post_room, receiver):
    receiver.status, receiver.headers = 302, {"Location": receiver.url}
    post_room.tell(1)
    post_room.work()
    assert len(receiver.received) == 1
    assert WebhookAttempt.objects.get().error == "The endpoint answered 302. Redirects are not followed."


def test_an_endpoint_that_hangs_is_left_after_the_timeout(post_room, monkeypatch):
    monkeypatch.setattr("customers.events.post.TIMEOUT", (0.2, 0.2))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        WebhookEndpoint.objects.update(url=f"http://127.0.0.1:{port}/")
        post_room.tell(1)
        post_room.tell(2)
        assert post_room.work() == 1, "those behind it wait with it"
    attempt = WebhookAttempt.objects.get()
    assert attempt.status is None
    assert "Timeout" in attempt.error
    assert attempt.duration_ms >= 150


def test_an_answer_that_comes_too_late_is_asked_for_again_recognisably(post_room, receiver, monkeypatch):
    """The receiver has dealt with it, but we cannot know: it is sent again, and told by its id to be the same."""
    monkeypatch.setattr("customers.events.post.TIMEOUT", (0.2, 0.2))
    receiver.delay = 0.5
    post_room.tell(1)
    assert post_room.work() == 1
    receiver.delay = 0
    assert post_room.work(T0 + MINUTE) == 1
    [delivery] = post_room.deliveries()
    history = list(delivery.tries.order_by("pk").values_list("status", "attempted_at"))
    assert history == [(None, T0), (204, T0 + MINUTE)]
    (first, body), (second, same) = receiver.received
    assert body == same
    assert first["webhook-id"] == second["webhook-id"] == json.loads(body)["idempotency_key"]
    assert first["Octane-Signature"] == second["Octane-Signature"]
    # Each is signed at its own time, so that a receiver may refuse what is old.
    assert int(second["webhook-timestamp"]) - int(first["webhook-timestamp"]) == 60


def test_a_receiver_that_is_slow_for_an_hour_loses_nothing_and_nothing_overtakes_for_six_minutes(
    post_room, receiver, monkeypatch
):
    monkeypatch.setattr("customers.events.post.TIMEOUT", (0.1, 0.1))
    receiver.delay = 0.15
    for n in range(4):
        post_room.tell(n)
    for minute in (0, 1, 6):
        post_room.work(T0 + minute * MINUTE, limit=1)
    assert receiver.subjects == [0, 0, 0]
    for minute in range(7, 60, 9):
        post_room.work(T0 + minute * MINUTE, limit=1)
    receiver.delay = 0
    for minute in range(60, 300, 15):
        post_room.work(T0 + minute * MINUTE)
    assert {d.state for d in post_room.deliveries()} == {"delivered"}
    last_told = {n: at for at, n in enumerate(receiver.subjects)}
    assert sorted(last_told) == [0, 1, 2, 3]
    by_event = {headers["webhook-id"] for headers, _ in receiver.received}
    assert len(by_event) == 4, "however often they were sent"
    assert post_room.endpoint.failing_since is None


def test_nobody_there(post_room, receiver):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    WebhookEndpoint.objects.update(url=f"http://127.0.0.1:{port}/")
    post_room.tell(1)
    post_room.work()
    assert "ConnectionError" in WebhookAttempt.objects.get().error


def test_a_failing_endpoint_delays_no_other(post_room, receiver):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        dead = f"http://127.0.0.1:{taken.getsockname()[1]}/"
    other = WebhookEndpoint.objects.create(vendor=post_room.vendor, url=dead, created_at=T0)
    for n in range(3):
        post_room.tell(n)
    post_room.work()
    assert receiver.subjects == [0, 1, 2]
    assert other.deliveries.filter(attempts=0).count() == 2


def test_two_workers_never_speak_to_one_endpoint(post_room, receiver):
    post_room.tell(1)
    post_room.tell(2)
    from customers.events.dispatch import dispatch

    dispatch(real_now=T0)
    first, [pk] = claim_endpoints(real_now=T0)
    assert claim_endpoints(real_now=T0)[1] == []
    later = T0 + timedelta(minutes=5)
    second, [again] = claim_endpoints(real_now=later)
    assert again == pk
    with session() as http:
        assert not deliver_next(http, pk, first, real_now=later), "the first was thought dead and lost its claim"
        assert deliver_next(http, pk, second, real_now=later)
    assert receiver.subjects == [1]


def test_what_is_said_is_never_logged(post_room, receiver, caplog):
    receiver.status = 500
    post_room.tell(1, customer_name="a-well-kept-secret")
    with caplog.at_level(logging.DEBUG):
        post_room.work()
    assert len(receiver.received) == 1
    assert "a-well-kept-secret" not in caplog.text


def test_an_endpoint_hears_what_it_listens_to(post_room, receiver):
    WebhookEndpoint.objects.update(event_types=[EventKind.CUSTOMER_NEW])
    post_room.tell(1)
    post_room.tell(2, EventKind.CUSTOMER_NEW)
    post_room.tell(3, EventKind.CLOCK_MOVED)
    assert post_room.work() == 1
    assert receiver.subjects == [2]
    assert not Event.objects.filter(dispatched_at=None).exists()


def test_an_answer_that_trickles_in_has_no_longer_than_one_that_is_late(post_room, monkeypatch):
    """Byte for byte, each within the timeout of a read: a worker must not be held for as long as it likes."""
    monkeypatch.setattr("customers.events.post.LONGEST", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as pool:
        WebhookEndpoint.objects.update(url=f"http://127.0.0.1:{server.getsockname()[1]}/")
        post_room.tell(1)
        pool.submit(_trickle, server, b"HTTP/1.1 200 OK\r\nX-Slow: very\r\n\r\n")
        assert post_room.work() == 1
    attempt = WebhookAttempt.objects.get()
    assert (attempt.status, attempt.error) == (None, "It did not answer within 0.5 seconds.")
    assert 400 <= attempt.duration_ms < 2000


def _trickle(server: socket.socket, text: bytes) -> None:
    connection, _ = server.accept()
    with connection, suppress(OSError):
        for byte in text:
            connection.sendall(bytes([byte]))
            time.sleep(0.05)
