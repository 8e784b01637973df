"""The sandbox as a WSGI application of its own: its own addresses, none of the portal's middleware."""

import os
import socket
from collections.abc import Callable, Iterable
from typing import Any

import django
from django.core.handlers.wsgi import WSGIRequest
from django.core.signals import request_finished, request_started
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.urls import get_resolver

from payments.sandbox.faults import Dropped

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "billing_portal.settings.development")
django.setup(set_prefix=False)

ROOT = "payments.sandbox.urls"
StartResponse = Callable[[str, list[tuple[str, str]]], Any]


def application(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    request_started.send(sender=application, environ=environ)
    try:
        request = WSGIRequest(environ)
        response = _respond(request)
        _recorder()(request, response)
    except Dropped:
        _hang_up(environ)
        response = HttpResponse()
    finally:
        # Gives the thread's database connection back, or closes it.
        request_finished.send(sender=application)
    start_response(f"{response.status_code} {response.reason_phrase}", _headers(response))
    return [response.content]


def _recorder() -> Callable[[HttpRequest, HttpResponse], None]:
    """Loaded once Django is ready."""
    from payments.sandbox.recording import note

    return note


def _respond(request: HttpRequest) -> HttpResponse:
    try:
        match = get_resolver(ROOT).resolve(request.path_info)
    except Http404:
        message = f"Unrecognized request URL ({request.method}: {request.path})."
        return JsonResponse({"error": {"type": "invalid_request_error", "message": message}}, status=404)
    response: HttpResponse = match.func(request, *match.args, **match.kwargs)
    return response


def _headers(response: HttpResponse) -> list[tuple[str, str]]:
    response["Content-Length"] = str(len(response.content))
    return [(name, str(value)) for name, value in response.items()]


def _hang_up(environ: dict[str, Any]) -> None:
    """End the connection so that the client gets no answer. Gunicorn and the tests' server say
    which socket it is."""
    connection: socket.socket | None = environ.get("gunicorn.socket") or environ.get("sandbox.socket")
    if connection is not None:
        connection.shutdown(socket.SHUT_RDWR)
