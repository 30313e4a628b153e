"""What a benchmark reports, and how a report is printed."""

from typing import Any

from msgspec import Struct


class Report(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """What a benchmark found. Rates are a second, times in milliseconds; `ratio` is rate to floor."""

    name: str
    rate_per_s: float
    floor_per_s: float
    ratio: float
    p50_ms: float
    p99_ms: float
    audit_violations: int
    more: dict[str, Any] = {}

    def shown(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "rate_per_s": round(self.rate_per_s, 1),
            "floor_per_s": round(self.floor_per_s, 1),
            "ratio": round(self.ratio, 3),
            "p50_ms": round(self.p50_ms, 2),
            "p99_ms": round(self.p99_ms, 2),
            "audit_violations": self.audit_violations,
            **self.more,
        }
