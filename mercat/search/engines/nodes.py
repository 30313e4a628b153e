"""Where nodes of OpenSearch are, and who asks them."""

import re
from urllib.parse import unquote, urlsplit

import httpx

_NEXT = re.compile(r"\s*,\s*(?=https?://)")


def nodes_in(urls: str) -> tuple[list[str], httpx.BasicAuth | None]:
    """Read the URL of a node or, with commas between them, of several; who asks is known from the first for
    all, and stands in no address that is answered. A comma of a password is its own."""
    parts = [urlsplit(url) for url in _NEXT.split(urls.strip())]
    nodes = [each._replace(netloc=each.netloc.rpartition("@")[2]).geturl().rstrip("/") for each in parts]
    user, password = parts[0].username, parts[0].password
    return nodes, httpx.BasicAuth(unquote(user), unquote(password or "")) if user else None
