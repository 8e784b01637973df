"""The sandbox's server process: Gunicorn with threads and keep-alive, and the pump beside it."""

import sys
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.db import connections
from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]

from payments.sandbox import pump

THREADS = 16


def refuse_where_unsafe() -> None:
    if not getattr(settings, "SANDBOX", False):
        raise CommandError("The sandbox is switched off here. Set SANDBOX=true to use it.")
    if settings.STRIPE_LIVE_SECRET_KEY:
        raise CommandError("The sandbox does not start beside a live Stripe key. Remove STRIPE_LIVE_SECRET_KEY first.")


def keep_database_connections() -> None:
    """One connection a thread, kept between requests and checked before each."""
    database = connections.settings["default"]
    database["CONN_MAX_AGE"] = None
    database["CONN_HEALTH_CHECKS"] = True


class Server(BaseApplication):  # type: ignore[misc]
    def __init__(self, host: str, port: int) -> None:
        self.bind = f"{host}:{port}"
        super().__init__()

    def load_config(self) -> None:
        options: dict[str, Any] = {
            "bind": self.bind,
            "worker_class": "gthread",
            "workers": 1,
            "threads": THREADS,
            "keepalive": 75,
            "timeout": 60,
            "graceful_timeout": 5,
            "proc_name": "sandbox",
            "post_worker_init": _start_pump,
            "control_socket_disable": True,
        }
        for name, value in options.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Any:
        from payments.sandbox.wsgi import application

        return application


def _start_pump(worker: Any) -> None:
    # A request waits for the database a dozen times; each time it must not stand in line for the
    # interpreter behind the pump for Python's usual 5 ms.
    sys.setswitchinterval(0.0005)
    pump.start()


def serve(host: str, port: int) -> None:
    refuse_where_unsafe()
    keep_database_connections()
    Server(host, port).run()
