"""PDFs as a reader sees them."""

import unicodedata
from io import BytesIO

from pypdf import PdfReader


def pages_of(content: bytes) -> list[str]:
    """The text of each page, in composed letters."""
    assert content.startswith(b"%PDF-")
    return [unicodedata.normalize("NFKC", page.extract_text()) for page in PdfReader(BytesIO(content)).pages]


def after(page: str, *labels: str) -> list[str]:
    """What stands in the line after each of these labels."""
    lines = page.splitlines()
    return [lines[lines.index(label) + 1] for label in labels]
