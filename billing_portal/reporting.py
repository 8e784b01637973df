"""What Django's reports of a mistake may hold (mailed to ``ADMINS``, where an installation names any): where it
happened and what was asked for. Nothing that people or programs sent, no variables, and no settings with an address
that may carry a password."""

from __future__ import annotations

import re
from collections.abc import ItemsView
from types import FrameType
from typing import Any

from django.http import HttpRequest
from django.views.debug import SafeExceptionReporterFilter

_STARS = SafeExceptionReporterFilter.cleansed_substitute


class SilentFilter(SafeExceptionReporterFilter):
    """While ``DEBUG`` is on, which production never is, developers see what Django shows them."""

    hidden_settings = re.compile(
        SafeExceptionReporterFilter.hidden_settings.pattern + "|URL|LOCATION|DSN|COOKIE|DATABASE", re.IGNORECASE
    )

    def get_post_parameters(self, request: HttpRequest | None) -> dict[str, Any]:
        if request is None:
            return {}
        return self._starred(request.POST) if self.is_active(request) else request.POST

    def get_safe_cookies(self, request: HttpRequest) -> dict[str, Any]:
        return self._starred(request.COOKIES) if self.is_active(request) else request.COOKIES

    def get_traceback_frame_variables(self, request: HttpRequest, tb_frame: FrameType) -> ItemsView[str, Any]:
        if not self.is_active(request):
            return super().get_traceback_frame_variables(request, tb_frame)
        return self._starred(tb_frame.f_locals).items()

    def _starred(self, given: Any) -> dict[str, Any]:
        return dict.fromkeys(given, _STARS)
