"""Stylesheets, scripts and fonts: each under a name that holds its hash, so that browsers keep it for good."""

from typing import Any

from whitenoise.compress import Compressor
from whitenoise.storage import CompressedManifestStaticFilesStorage


class HashedFiles(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """Compressed with gzip alone: brotli would hold up each start for many seconds to save a few kilobytes once."""

    def create_compressor(self, **options: Any) -> Compressor:
        return Compressor(**{**options, "use_brotli": False})
