"""Whether the web server in this container works: asked as the proxy would ask, because anybody else is sent away."""

import os
import sys
import urllib.request
from urllib.parse import urlsplit

PORT = os.environ.get("PORT", "8000")


def main() -> int:
    host = urlsplit(os.environ["PUBLIC_URL"]).netloc
    request = urllib.request.Request(  # noqa: S310 - our own
        f"http://127.0.0.1:{PORT}/healthz", headers={"Host": host, "X-Forwarded-Proto": "https"}
    )
    try:
        with urllib.request.urlopen(request, timeout=4) as answer:  # noqa: S310 - our own
            return 0 if answer.status == 200 else 1
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
