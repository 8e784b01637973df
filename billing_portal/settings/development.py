"""One machine: development, demonstrations, and everything that ``manage.py up`` starts."""

from billing_portal.settings.base import *
from billing_portal.settings.base import INSTALLED_APPS, STORAGES, STRIPE_LIVE_SECRET_KEY, env

DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY", default="development-only-never-in-production")
FIELD_ENCRYPTION_KEYS = env.list("FIELD_ENCRYPTION_KEYS", default=[])
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])

DATABASES = {"default": env.db_url("DATABASE_URL", default="postgres://localhost/billing_portal")}
DATABASES["default"] |= {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
CELERY_BROKER_URL = env.str("REDIS_URL", default="redis://localhost:6379/0")
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": CELERY_BROKER_URL,
    }
}

# Without EMAIL_URL each message becomes one file that a person can read.
if env.str("EMAIL_URL", default=""):
    vars().update(env.email_url("EMAIL_URL"))
else:
    EMAIL_BACKEND = "billing_portal.mailfiles.EmailBackend"
    EMAIL_FILE_PATH = env.str("EMAIL_FILE_PATH", default="data/mail")

# ``manage.py up`` collects static files and says where; else they are served from where they lie.
if not env.str("STATIC_ROOT", default=""):
    STATIC_ROOT = None
    WHITENOISE_USE_FINDERS = True
    STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}

SANDBOX = env.bool("SANDBOX", default=True)
if SANDBOX and STRIPE_LIVE_SECRET_KEY:
    raise RuntimeError("The Stripe sandbox refuses to start beside a live key.")
if SANDBOX:
    INSTALLED_APPS += ["payments.sandbox"]
    # A file that every request to the sandbox and its answer is appended to.
    SANDBOX_RECORD = env.str("SANDBOX_RECORD", default="")
