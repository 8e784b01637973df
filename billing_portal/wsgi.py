"""WSGI entry point."""

import os

from django.core.wsgi import get_wsgi_application

from billing_portal.collecting import collect_seldom

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "billing_portal.settings.production")

application = get_wsgi_application()
collect_seldom()
