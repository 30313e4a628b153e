"""What the audit log keeps of documents that are too long to be kept whole: what became otherwise."""

from typing import Any, cast

import msgspec

from mercat.auditlog import DOCUMENT_MAX

_ROWS = (1_000, 300, 100, 30, 10, 3, 0)
"""So many rows of a list are tried, until what is kept fits."""


def fitting(document: Any) -> str:
    """Write a document; of one that is too long its beginning, and how much there is."""
    whole = _text(document)
    if len(whole) <= DOCUMENT_MAX:
        return whole
    return _first_that_fits({"letters": len(whole)}, "begins", document)


def difference(before: Any, after: Any) -> str:
    """Write how a document is now; of one that is too long, what was put in and what was taken out."""
    whole = _text(after)
    if len(whole) <= DOCUMENT_MAX and len(_text(before)) <= DOCUMENT_MAX:
        return whole
    return _first_that_fits({"letters": len(whole)}, "differs", _differs(before, after))


def _differs(before: Any, after: Any) -> Any:
    if isinstance(before, dict) and isinstance(after, dict):
        was, now = cast(dict[str, Any], before), cast(dict[str, Any], after)
        changed = [name for name in {**was, **now} if was.get(name) != now.get(name)]
        return {name: _differs(was.get(name), now.get(name)) for name in changed}
    if isinstance(before, list) and isinstance(after, list):
        old = {_text(row): row for row in cast(list[Any], before)}
        new = {_text(row): row for row in cast(list[Any], after)}
        return {
            "put_in": [row for text, row in new.items() if text not in old],
            "taken_out": [row for text, row in old.items() if text not in new],
        }
    both: dict[str, Any] = {"before": before, "after": after}
    return both


def _first_that_fits(facts: dict[str, Any], name: str, document: Any) -> str:
    for rows in _ROWS:
        kept = _text({**facts, name: _cut(document, rows)})
        if len(kept) <= DOCUMENT_MAX:
            return kept
    return _text(facts)


def _cut(value: Any, rows: int) -> Any:
    """Keep so many rows of each list, and say how many more there are; and the beginning of each text."""
    if isinstance(value, dict):
        return {name: _cut(each, rows) for name, each in cast(dict[str, Any], value).items()}
    if isinstance(value, list):
        every = cast(list[Any], value)
        more = [f"and {len(every) - rows:,} more"] if len(every) > rows else []
        return [_cut(each, rows) for each in every[:rows]] + more
    if isinstance(value, str) and len(value) > DOCUMENT_MAX // 100:
        return value[: DOCUMENT_MAX // 100] + "…"
    return value


def _text(document: Any) -> str:
    return msgspec.json.encode(document).decode()
