"""The pages of one of our PDFs as a picture, for screens that may show no foreign frame and no plug-in."""

from __future__ import annotations

import json
import re

import typst

from invoicing.invoices.documents.pdf import fonts

MOST_PAGES = 5
POINTS_PER_INCH = 110.0

# As typst writes the root of a document's pages.
_COUNT = re.compile(rb"/Type\s*/Pages\b[^>]*?/Count (\d+)")

_SOURCE = b"""
#set page(width: auto, height: auto, margin: 0pt, fill: none)
#let pdf = bytes(json(bytes(sys.inputs.data)))
#stack(spacing: 14pt, ..range(1, int(sys.inputs.pages) + 1).map(page =>
    box(fill: white, image(pdf, format: "pdf", page: page))))
"""


def page_count(pdf: bytes) -> int:
    found = _COUNT.search(pdf)
    return int(found[1]) if found else 1


def page_picture(pdf: bytes) -> bytes:
    """The first pages one below the other, as PNG. Raises ``typst.TypstError`` where it is no PDF."""
    pages = min(page_count(pdf), MOST_PAGES)
    inputs = {"data": json.dumps(list(pdf)), "pages": str(pages)}
    return typst.compile(
        _SOURCE,
        format="png",
        ppi=POINTS_PER_INCH,
        font_paths=fonts(),
        ignore_system_fonts=True,
        sys_inputs=inputs,
    )
