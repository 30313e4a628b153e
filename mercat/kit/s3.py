"""Files in a bucket that speaks S3: get, put, list, remove, signed by hand (AWS Signature Version 4)."""

import hmac
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import NamedTuple
from urllib.parse import quote, urlencode, urlsplit
from xml.etree import ElementTree

import httpx

from mercat.kit.picture_names import TYPES, read_name
from mercat.kit.refusals import Unavailable

_ALGORITHM = "AWS4-HMAC-SHA256"
_TIMEOUT_S = 10
_TRIES = 3
_NOT_FOUND, _CONFLICT, _THERE_ALREADY = 404, 409, 412
_IMMUTABLE = "public, max-age=31536000, immutable"


class S3Key(NamedTuple):
    """Who asks, and in which region the bucket is."""

    access_key: str
    secret_key: str
    region: str


def signed(
    method: str, url: str, headers: Mapping[str, str], content: bytes, key: S3Key, at: datetime
) -> dict[str, str]:
    """Answer the headers of a request with its signature.

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html"""
    parts = urlsplit(url)
    moment = at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    digest = sha256(content).hexdigest()
    named = {name.lower(): value for name, value in headers.items()}
    named |= {"host": parts.netloc, "x-amz-date": moment, "x-amz-content-sha256": digest}
    names = ";".join(sorted(named))
    lines = [f"{name}:{' '.join(named[name].split())}" for name in sorted(named)]
    asked = "\n".join([method, parts.path or "/", parts.query, *lines, "", names, digest])
    scope = f"{moment[:8]}/{key.region}/s3/aws4_request"
    said = "\n".join([_ALGORITHM, moment, scope, sha256(asked.encode()).hexdigest()])
    secret = f"AWS4{key.secret_key}".encode()
    for part in scope.split("/"):
        secret = hmac.digest(secret, part.encode(), "sha256")
    signature = hmac.digest(secret, said.encode(), "sha256").hex()
    del named["host"]  # the client says it
    credential = f"Credential={key.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
    return named | {"authorization": f"{_ALGORITHM} {credential}"}


class Bucket:
    """Files in a bucket, addressed by path as in `https://host/bucket/folder`, which every server knows."""

    def __init__(self, url: str, key: S3Key) -> None:
        parts = urlsplit(url)
        bucket, _, folder = parts.path.strip("/").partition("/")
        self._root = f"{parts.scheme}://{parts.netloc}/{bucket}"
        self._folder = f"{folder}/" if folder else ""
        self._key = key
        self._http = httpx.Client(timeout=_TIMEOUT_S, follow_redirects=False)

    def get(self, name: str) -> bytes | None:
        """Read a file; None where there is none. Raises Unavailable."""
        answer = self._ask("GET", name, {}, b"")
        return None if answer.status_code == _NOT_FOUND else answer.content

    def put(self, name: str, content: bytes) -> None:
        """Write a file whole or not at all; one that is there already has the same bytes and stays."""
        known = read_name(name)
        headers = {"if-none-match": "*", "cache-control": _IMMUTABLE}
        if known:
            headers["content-type"] = TYPES[known.kind]
        self._ask("PUT", name, headers, content)

    def replace(self, name: str, content: bytes) -> None:
        """Write a file whole or not at all, over one that is there."""
        self._ask("PUT", name, {}, content)

    def names(self, beginning: str = "") -> Iterator[str]:
        """List the files whose names begin so, a thousand an ask.

        Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html"""
        query = {"list-type": "2", "prefix": self._folder + beginning}
        while True:
            content = self._call("GET", f"{self._root}?{_query(query)}", {}, b"").content
            listed = ElementTree.fromstring(content)
            for key in listed.iterfind("{*}Contents/{*}Key"):
                yield (key.text or "").removeprefix(self._folder)
            going_on = listed.findtext("{*}NextContinuationToken")
            if not going_on:
                return
            query["continuation-token"] = going_on

    def remove(self, names: list[str]) -> None:
        """Remove files; those that are not there are as good as removed. Raises Unavailable."""
        for name in names:
            self._ask("DELETE", name, {}, b"")

    def _ask(self, method: str, name: str, headers: dict[str, str], content: bytes) -> httpx.Response:
        return self._call(method, f"{self._root}/{quote(self._folder + name)}", headers, content)

    def _call(self, method: str, url: str, headers: dict[str, str], content: bytes) -> httpx.Response:
        """Ask up to three times; Unavailable where the bucket does not answer as it should."""
        reason = ""
        for _ in range(_TRIES):
            asked = signed(method, url, headers, content, self._key, datetime.now(UTC))
            try:
                answer = self._http.request(method, url, headers=asked, content=content or None)
            except httpx.HTTPError as error:
                reason = type(error).__name__
                continue
            if answer.is_success or answer.status_code in (
                _THERE_ALREADY if method == "PUT" else _NOT_FOUND,
            ):
                return answer
            reason = f"status {answer.status_code}"
            if answer.is_client_error and answer.status_code != _CONFLICT:
                break
        raise Unavailable(f"The bucket does not answer ({reason}).")


def _query(given: Mapping[str, str]) -> str:
    """Write a query as it is signed: by name, and nothing but letters, digits and -_.~ as they are."""
    return urlencode(sorted(given.items()), quote_via=quote, safe="-_.~")
