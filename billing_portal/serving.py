"""gunicorn's settings in production: ``gunicorn billing_portal.wsgi --config python:billing_portal.serving``.

How many processes there are says ``WEB_CONCURRENCY``, which gunicorn reads itself; its command line goes before all of
this.
"""

from typing import Any

bind = "0.0.0.0:8000"  # noqa: S104 - the proxy in front of it is elsewhere
worker_class = "gthread"
threads = 8
# Loaded once and shared: a quicker start, and half the memory.
preload_app = True
timeout = 60
# What is being answered is answered before a process ends: an update refuses nobody.
graceful_timeout = 30
keepalive = 5
# Signs of life are written to memory: a slow disk makes no process look dead.
worker_tmp_dir = "/dev/shm"  # noqa: S108
# Nobody steers it but signals.
control_socket_disable = True

# gunicorn's own words go where Django's go, in the same form.
logconfig_dict: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "billing_portal.logs.JsonLines"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"level": "INFO", "handlers": ["console"]},
    "loggers": {"gunicorn.error": {"level": "INFO", "handlers": [], "propagate": True}},
}
