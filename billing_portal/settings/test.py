"""The test suite: the development installation with fixed secrets and fast password hashing."""

from billing_portal.settings.development import *

SECRET_KEY = "tests-only"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
CELERY_TASK_ALWAYS_EAGER = True
CELERY_TASK_EAGER_PROPAGATES = True
WEBHOOKS_ALLOW_LOOPBACK = True
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
# A live server's threads must leave no connection behind, or the test database cannot be dropped.
DATABASES["default"] |= {"CONN_MAX_AGE": 0}
