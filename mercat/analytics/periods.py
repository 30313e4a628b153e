"""Which stretch of time a report is about, and which one it is compared with: decisions without IO.

`from` and `to` are days in the asker's time zone. `to` is left out: the report ends as that day begins.
Without it the report goes on to now, without `from` it begins with the first fact."""

from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from mercat.kit.clock import time_zone
from mercat.kit.refusals import Invalid

_FIRST, _LAST = date(1900, 1, 1), date(2200, 1, 1)
_LETTER_AT = time(7)
STEPS_MAX = 5_000
"""Rows without a sale are shown as such up to so many; a longer report has those with one alone."""


class Period(NamedTuple):
    """Days in a time zone, the last one left out; None: from the beginning, until now."""

    since: date | None
    until: date | None

    def bounds(self, zone: ZoneInfo) -> tuple[datetime, datetime]:
        """Return the moments it lies between, as UTC without saying so, which is how engines store time."""
        return _moment(self.since or _FIRST, zone), _moment(self.until or _LAST, zone)


def zone_of(name: str) -> ZoneInfo:
    """Find a time zone by its IANA name; Invalid for another."""
    zone = time_zone(name)
    if zone is None:
        raise Invalid("There is no such time zone. Give an IANA name, as in Europe/Berlin.", pointer="/tz")
    return zone


def monday_of(now: datetime, zone: ZoneInfo) -> date:
    """Return the day on which the week of a moment began there."""
    day = now.astimezone(zone).date()
    return day - timedelta(days=day.weekday())


def next_letter(now: datetime, zone: ZoneInfo) -> datetime:
    """Return when a week is mailed next: on Monday at seven there."""
    at = datetime.combine(monday_of(now, zone), _LETTER_AT, zone)
    if at <= now:
        at = datetime.combine(at.date() + timedelta(days=7), _LETTER_AT, zone)
    return at.astimezone(UTC)


def check(period: Period) -> None:
    """Refuse a report that ends before it begins, or lies where no shop was or will be."""
    for day, pointer in ((period.since, "/from"), (period.until, "/to")):
        if day and not _FIRST <= day <= _LAST:
            raise Invalid(f"Give a day from {_FIRST} to {_LAST}.", pointer=pointer)
    if period.since and period.until and period.until < period.since:
        raise Invalid("`to` is left out, so it cannot be before `from`.", pointer="/to")


def compared(period: Period, how: str, today: date) -> Period:
    """Return the period that a report is compared with: as many days before it (`previous`), or the same days
    a year earlier (`year`). A report without an end ends with today."""
    if period.since is None:
        raise Invalid("Say `from` too: there is nothing before the beginning.", pointer="/compare")
    until = period.until or today + timedelta(days=1)
    if how == "previous":
        return Period(period.since - (until - period.since), period.since)
    return Period(_year_before(period.since), _year_before(until))


def steps(period: Period, by: str, first: datetime, last: datetime) -> list[datetime] | None:
    """List the beginnings of all days, weeks, months or hours of a report, in local time; None where there
    are too many. `first` and `last`: those that have a row."""
    at = truncated(datetime.combine(period.since, datetime.min.time()), by) if period.since else first
    end = datetime.combine(period.until, datetime.min.time()) if period.until else last + timedelta(seconds=1)
    found: list[datetime] = []
    while at < end:
        found.append(at)
        if len(found) > STEPS_MAX:
            return None
        at = _next(at, by)
    return found


def truncated(at: datetime, by: str) -> datetime:
    """Return when the hour, day, week (from Monday) or month of a moment began."""
    day = at.replace(hour=0, minute=0, second=0, microsecond=0)
    if by == "hour":
        return at.replace(minute=0, second=0, microsecond=0)
    if by == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if by == "month" else day


def shown(at: datetime, by: str) -> str:
    """Write a step as reports name it: 2026-11-29, 2026-11-29T14:00, the Monday of a week, 2026-11."""
    if by == "hour":
        return at.strftime("%Y-%m-%dT%H:00")
    return at.strftime("%Y-%m" if by == "month" else "%Y-%m-%d")


def _next(at: datetime, by: str) -> datetime:
    if by == "hour":
        return at + timedelta(hours=1)
    if by == "month":
        return (at + timedelta(days=32)).replace(day=1)
    return at + timedelta(days=7 if by == "week" else 1)


def _moment(day: date, zone: ZoneInfo) -> datetime:
    local = datetime.combine(day, datetime.min.time(), zone)
    return local.astimezone(UTC).replace(tzinfo=None)


def _year_before(day: date) -> date:
    try:
        return day.replace(year=day.year - 1)
    except ValueError:  # the 29th of February
        return day.replace(year=day.year - 1, day=28)
