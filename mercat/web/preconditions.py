"""What a request says it has seen (`If-Match`), beside what stands (RFC 9110, 13)."""

from mercat.kit.refusals import ConditionMissing, Stale

_VERSION_DIGITS_MAX = 18


def check_seen(if_match: str | None, tag: str) -> bool:
    """Say whether a request names what it has seen; Stale where that is not what stands. A weak tag matches
    nothing (RFC 9110, 13.1.1)."""
    if if_match is None:
        return False
    tags = [each.strip() for each in if_match.split(",")]
    if tags != ["*"] and tag not in tags:
        raise Stale
    return True


def version_of(if_match: str | None) -> int:
    """Read the version in an ETag of ours; one that is not ours, or weak, matches nothing (RFC 9110, 13)."""
    if if_match is None:
        raise ConditionMissing
    digits = if_match.strip().removeprefix('"').removesuffix('"')
    if not (digits.isascii() and digits.isdigit() and len(digits) <= _VERSION_DIGITS_MAX):
        raise Stale
    return int(digits)
