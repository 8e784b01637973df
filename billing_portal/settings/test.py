"""The test suite: the development installation with fixed secrets and fast password hashing."""

from billing_portal.settings.development import *
from billing_portal.settings.development import DATABASES

SECRET_KEY = "tests-only"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
CELERY_TASK_ALWAYS_EAGER = True
CELERY_TASK_EAGER_PROPAGATES = True
WEBHOOKS_ALLOW_LOOPBACK = True
# A server that a test has started leaves no connection behind: the test database could not be dropped.
DATABASES["default"]["CONN_MAX_AGE"] = 0
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
# Tests of the pace set one of their own.
STRIPE_TEST_CALLS_PER_SECOND = 0
STRIPE_LIVE_CALLS_PER_SECOND = 0
# Tests of the limit set one of their own.
API_REQUESTS_PER_MINUTE = 0
