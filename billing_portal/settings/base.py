"""What every installation shares. Values that differ come from the environment, read strictly:
a malformed value stops the process at start-up, and nothing secret has a default here."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import environ

from billing_portal.settings.schedule import BEAT_SCHEDULE
from billing_portal.settings.skin import UNFOLD as UNFOLD

env = environ.Env()

BASE_DIR = Path(__file__).resolve().parent.parent.parent

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "customers",
    "invoicing",
    "payments",
    "billing_portal.accounts",
    "billing_portal.lists",
    "billing_portal.api",
    "billing_portal.portal",
    "billing_portal",
]

MIDDLEWARE = [
    "billing_portal.api.request_ids.RequestIds",
    "billing_portal.api.paths.ApiPaths",
    "billing_portal.api.rate_limits.RateLimitHeaders",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "billing_portal.accounts.idle.EndIdleSessions",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "billing_portal.portal.csp.ContentSecurityPolicyMiddleware",
]

ROOT_URLCONF = "billing_portal.urls"
WSGI_APPLICATION = "billing_portal.wsgi.application"
# The API answers both slash forms itself; a redirect would lose the body of a POST.
APPEND_SLASH = True

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "accounts.Operator"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
# The link to a new password, and the session of somebody who stays away.
PASSWORD_RESET_TIMEOUT = 3600
SESSION_COOKIE_AGE = 7 * 24 * 3600
# Without a request for so long one signs in again.
SESSION_IDLE_MINUTES = env.int("SESSION_IDLE_MINUTES", default=12 * 60)
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"  # the browser comes back from Stripe signed in
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "billing_portal.portal.mishaps.csrf_failure"
# How many proxies of ours a request comes through, each of which adds to X-Forwarded-For. 0: it comes directly.
PROXIES = env.int("PROXIES", default=0)
LOGIN_URL = "portal:sign_in"
LOGIN_REDIRECT_URL = "portal:dashboard"

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = env.str("STATIC_ROOT", default=str(BASE_DIR / "staticfiles"))
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "billing_portal.static_files.HashedFiles"},
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["billing_portal.api.authentication.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["billing_portal.api.parsers.CamelOrSnakeJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "customers.api.schema.ApiSchema",
    "EXCEPTION_HANDLER": "billing_portal.api.errors.exception_handler",
    "UNAUTHENTICATED_USER": None,
    "COERCE_DECIMAL_TO_STRING": False,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Billing Portal API",
    "VERSION": "1.0.0",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PUBLIC": True,
    "SERVE_PERMISSIONS": [],
    "SERVE_AUTHENTICATION": [],
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "billing_portal.api.schema.add_what_is_shared",
    ],
    "ENUM_NAME_OVERRIDES": {
        "UnitEnum": "customers.settings.declaration.Unit",
        "DetailLevelEnum": "customers.settings.declaration.DetailLevel",
    },
}

CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_TIME_LIMIT = 300
CELERY_TASK_SOFT_TIME_LIMIT = 240
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE = BEAT_SCHEDULE
# How long connections live is decided by CONN_MAX_AGE alone (billing_portal/celery.py).
CELERY_DB_REUSE_MAX = 10_000

# How the room below finds the rooms above it (docs/architecture.md).
PAYMENT_GATEWAYS = {"stripe": "payments.stripe.gateway.StripeGateway"}

# A worker that takes a due row owns it for this long; if it dies, the next tick hands the row
# out again. Overlap is harmless (unique rows and idempotency keys), waiting is not.
CLAIM_LEASE = timedelta(seconds=env.int("CLAIM_LEASE_SECONDS", default=60))
CLAIM_BATCH = env.int("CLAIM_BATCH", default=100)
# The longest pause before the gateway is asked again after it gave no answer.
GATEWAY_LONGEST_PAUSE = timedelta(seconds=env.int("GATEWAY_LONGEST_PAUSE_SECONDS", default=900))

# How many requests an API key may make in a minute; 0: as many as it likes.
API_REQUESTS_PER_MINUTE = env.int("API_REQUESTS_PER_MINUTE", default=6000)

# Prometheus asks for /metrics with this as its bearer token; without one the page is not there.
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")

# Outgoing webhooks never reach private or loopback addresses unless this says so.
WEBHOOKS_ALLOW_LOOPBACK = env.bool("WEBHOOKS_ALLOW_LOOPBACK", default=False)

# Whether the nightly comparison with Stripe also repairs what it finds, or only lists it.
RECONCILE_REPAIRS = env.bool("RECONCILE_REPAIRS", default=False)

# The Stripe platform. Test and live keys may both be present; a vendor's switch chooses.
STRIPE_API_BASE = env.str("STRIPE_API_BASE", default="https://api.stripe.com")
STRIPE_CONNECT_BASE = env.str("STRIPE_CONNECT_BASE", default="https://connect.stripe.com")
STRIPE_TEST_SECRET_KEY = env.str("STRIPE_TEST_SECRET_KEY", default="")
STRIPE_LIVE_SECRET_KEY = env.str("STRIPE_LIVE_SECRET_KEY", default="")
# What Stripe.js needs beside a client secret; an account with keys of its own brings its own.
STRIPE_TEST_PUBLISHABLE_KEY = env.str("STRIPE_TEST_PUBLISHABLE_KEY", default="")
STRIPE_LIVE_PUBLISHABLE_KEY = env.str("STRIPE_LIVE_PUBLISHABLE_KEY", default="")
# The platform's OAuth client ids (ca_...), one for each mode: with them vendors can connect their accounts.
STRIPE_TEST_CLIENT_ID = env.str("STRIPE_TEST_CLIENT_ID", default="")
STRIPE_LIVE_CLIENT_ID = env.str("STRIPE_LIVE_CLIENT_ID", default="")
STRIPE_WEBHOOK_SECRETS = env.list("STRIPE_WEBHOOK_SECRETS", default=[])
# How fast all processes together call Stripe, for each account; below Stripe's 25 and 100. 0 holds nothing
# back. The platform's own limit is the mode's figure unless it is given.
STRIPE_TEST_CALLS_PER_SECOND = env.float("STRIPE_TEST_CALLS_PER_SECOND", default=24)
STRIPE_LIVE_CALLS_PER_SECOND = env.float("STRIPE_LIVE_CALLS_PER_SECOND", default=80)
STRIPE_PLATFORM_CALLS_PER_SECOND = env.float("STRIPE_PLATFORM_CALLS_PER_SECOND", default=None)

DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="Billing <billing@localhost>")

# How often the link that a customer has to an invoice may be opened in a minute. 0: as often as one likes.
INVOICE_PAGE_REQUESTS_PER_MINUTE = env.int("INVOICE_PAGE_REQUESTS_PER_MINUTE", default=60)

# Where people reach this installation: links in e-mails and documents start with it.
PUBLIC_URL = env.str("PUBLIC_URL", default="http://localhost:8000")

# Measurements arrive in batches of a thousand and more.
DATA_UPLOAD_MAX_MEMORY_SIZE = 20 * 1024 * 1024
# A list may be asked for by a thousand names, and by filters beside them.
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2000
FILE_UPLOAD_HANDLERS = [
    "billing_portal.portal.uploads.BoundedUpload",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]

# What a report of a mistake of ours may hold.
DEFAULT_EXCEPTION_REPORTER_FILTER = "billing_portal.reporting.SilentFilter"

# A line for each request and for each step of an invoice: for those who collect them.
LOGGED_IN_PRODUCTION = ("billing_portal.requests", "invoicing.steps")
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "text": {
            "()": "billing_portal.logs.TextLines",
            "format": "{levelname} {name}{request_name}: {message}",
            "style": "{",
        },
        "json": {"()": "billing_portal.logs.JsonLines"},
    },
    "filters": {"name the request": {"()": "billing_portal.api.request_ids.NameRequest"}},
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": env.str("LOG_FORMAT", default="text"),
            "filters": ["name the request"],
        },
    },
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
    # One line for every tick, task that went well and call to Stripe would bury the rest.
    "loggers": {
        name: {"level": "WARNING"}
        for name in ("celery.app.trace", "celery.beat", "celery.worker.strategy", "stripe", *LOGGED_IN_PRODUCTION)
    },
}
