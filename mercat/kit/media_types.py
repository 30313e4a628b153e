"""What content a request accepts and sends (RFC 9110, 12.4 and 12.5)."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from starlette.requests import Request

from mercat.kit.refusals import NotAcceptable, UnsupportedMediaType

_JSON = b"application/json"
_NAMES = {
    "application/json": "JSON",
    "application/pdf": "PDF",
    "text/csv": "CSV",
    "application/jsonl": "JSON lines",
}
_ACCEPT_MAX = 4_000
_WEIGHT = re.compile(r"[0-9]{1,3}(?:\.[0-9]{0,20})?|\.[0-9]{1,20}")


def weights(header: str, unclear: float = 1.0) -> dict[str, float]:
    """Read what a client accepts: each name, in small letters, with its weight, as loosely as clients write
    it: `.2` is a weight. `unclear`: what counts for one that is none."""
    found: dict[str, float] = {}
    for part in header.lower().split(","):
        name, *parameters = (each.strip() for each in part.split(";"))
        weight = next((each[2:] for each in parameters if each.startswith("q=")), "1")
        if name:
            found[name] = min(float(weight), 1.0) if _WEIGHT.fullmatch(weight) else unclear
    return found


def check_media_types(
    request: Request, *, reads_json: bool, answers: str = "application/json", or_answers: str = ""
) -> None:
    """Raise NotAcceptable where neither what is answered nor JSON, in which refusals are told, is accepted
    (RFC 9110, 12.5.1); and UnsupportedMediaType of a body that says it is not JSON, or encoded; one that says
    nothing is taken for JSON."""
    accept = _accept_of(request)
    if accept not in (b"", b"*/*") and not _accepts(accept, answers, or_answers):
        offered = _offered(answers, or_answers)
        names = " or ".join(_NAMES.get(each, each) for each in offered)
        raise NotAcceptable(f"This address answers in {names}: accept {' or '.join(offered)}.")
    if not reads_json:
        return
    for name, value in request.scope["headers"]:
        if name == b"content-type":
            if value and value != _JSON and not _is_json(value):
                raise UnsupportedMediaType("Send application/json.")
        elif name == b"content-encoding" and value.lower() not in (b"", b"identity"):
            raise UnsupportedMediaType("Send the body as it is, without a Content-Encoding.")


def preferred(request: Request, offered: Sequence[str]) -> str:
    """Choose the media type of those that are offered that `Accept` weighs most, and names first of such; the
    first where none is named."""
    ranges = _media_ranges(_accept_of(request).decode("latin-1"))
    named = [each for each in ranges if each in offered and ranges[each] > 0]
    best = max(named, key=lambda each: ranges[each], default="")
    rest = max(offered, key=lambda each: _weight_of(each, ranges))
    return best if best and ranges[best] >= _weight_of(rest, ranges) else rest


def _accept_of(request: Request) -> bytes:
    """Return what is accepted, of all lines that say it; of a very long one the beginning."""
    accept = b", ".join(value for name, value in request.scope["headers"] if name == b"accept")
    return accept if len(accept) <= _ACCEPT_MAX else accept[:_ACCEPT_MAX].rpartition(b",")[0]


@lru_cache(maxsize=500)
def _accepts(accept: bytes, answers: str, or_answers: str = "") -> bool:
    """Say whether an Accept header takes some of what a route answers in, or any JSON, in which refusals are
    told; the nearest range decides, and a weight of 0 is no."""
    ranges = _media_ranges(accept.decode("latin-1"))
    if not ranges:
        return True
    if any(weight > 0 and kind.endswith("json") for kind, weight in ranges.items()):
        return True
    return any(_weight_of(each, ranges) > 0 for each in _offered(answers, or_answers))


def _media_ranges(accept: str) -> dict[str, float]:
    """Read an Accept header: each range with its weight; `*` alone is everything."""
    return {"*/*" if kind == "*" else kind: weight for kind, weight in weights(accept).items()}


def _weight_of(kind: str, ranges: Mapping[str, float]) -> float:
    """Return the weight of a media type by the nearest range that has it; 0 where none has."""
    whole = kind.partition("/")[0] + "/*"
    return next((ranges[each] for each in (kind, whole, "*/*") if each in ranges), 0.0)


def _offered(answers: str, or_answers: str) -> list[str]:
    return [answers, *or_answers.split(", ")] if or_answers else [answers]


def _is_json(content_type: bytes) -> bool:
    kind = content_type.partition(b";")[0].strip().lower()
    return kind == _JSON or (kind.startswith(b"application/") and kind.endswith(b"+json"))
