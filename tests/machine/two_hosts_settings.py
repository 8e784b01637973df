"""Production's settings, and the sandbox beside them: its clock follows a test vendor's from within the workers."""

from billing_portal.settings.production import *  # noqa: F403
from billing_portal.settings.production import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "payments.sandbox"]
SANDBOX = True
SANDBOX_RECORD = ""
