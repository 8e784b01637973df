"""An installation that people depend on: every value below must be in the environment."""

from billing_portal.settings.base import *
from billing_portal.settings.base import LOGGED_IN_PRODUCTION, LOGGING, env

DEBUG = False
SECRET_KEY = env.str("SECRET_KEY")
FIELD_ENCRYPTION_KEYS = env.list("FIELD_ENCRYPTION_KEYS")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS")
PUBLIC_URL = env.str("PUBLIC_URL")

DATABASES = {"default": env.db_url("DATABASE_URL")}
# Connections are kept between requests and tasks, and looked at before each. Where the other side is gone without a
# word (a host cut off, a firewall that forgot), both sides notice within half a minute: no query hangs for ever, and
# the locks of a transaction that nobody will end are let go. What DATABASE_URL says after its question mark goes first.
DATABASES["default"] = {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True, **DATABASES["default"]}
DATABASES["default"]["OPTIONS"] = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
    "options": "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3"
    " -c tcp_user_timeout=30000",
    **DATABASES["default"].get("OPTIONS", {}),
}
CELERY_BROKER_URL = env.str("REDIS_URL")
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": CELERY_BROKER_URL,
    }
}
vars().update(env.email_url("EMAIL_URL"))

SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=True)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=31_536_000)
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
# Browsers take cookies of such names from this very host alone, and only over TLS.
SESSION_COOKIE_NAME = "__Host-session"
CSRF_COOKIE_NAME = "__Host-csrf"
PROXIES = env.int("PROXIES", default=1)
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
X_FRAME_OPTIONS = "DENY"

# One JSON object a line, with the ids of request, vendor, invoice and task.
LOGGING["handlers"]["console"]["formatter"] = env.str("LOG_FORMAT", default="json")
LOGGING["loggers"] |= {name: {"level": LOGGING["root"]["level"]} for name in LOGGED_IN_PRODUCTION}

# Errors are reported where this says, without what people sent and without who they are.
if SENTRY_DSN := env.str("SENTRY_DSN", default=""):
    import sentry_sdk

    sentry_sdk.init(
        dsn=SENTRY_DSN,
        environment=env.str("SENTRY_ENVIRONMENT", default="production"),
        send_default_pii=False,
        max_request_body_size="never",
        include_local_variables=False,
    )
