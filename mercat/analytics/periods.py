"""Which stretch of time a report is about, and which one it is compared with: decisions without IO.

`from` and `to` are days in the asker's time zone. `to` is left out: the report ends as that day begins.
Without it the report goes on to now, without `from` it begins with the first fact."""

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import NamedTuple
from zoneinfo import ZoneInfo

from mercat.kit.clock import time_zone
from mercat.kit.refusals import Invalid

_FIRST, _LAST = date(1900, 1, 1), date(2200, 1, 1)
_LETTER_AT = time(7)
_ALMOST_AN_HOUR = timedelta(minutes=59)
_MINUTE_SHOWN = len("2026-10-25T02:00")
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


def whole_days(since: datetime, until: datetime) -> tuple[datetime, datetime]:
    """Return the first and the last midnight (UTC) between two moments."""
    first = truncated(since + timedelta(days=1) - timedelta(microseconds=1), "day")
    return first, truncated(until, "day")


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


def steps(period: Period, by: str, first: datetime, last: datetime, zone: ZoneInfo) -> list[datetime] | None:
    """List the beginnings of all days, weeks, months (local time) or hours (UTC) of a report; None where
    there are too many. `first` and `last`: those that have a row."""
    if by == "hour":
        since, until = period.bounds(zone)
        at, end = since if period.since else first, until if period.until else last + timedelta(seconds=1)
    else:
        at = truncated(datetime.combine(period.since, time()), by) if period.since else first
        end = datetime.combine(period.until, time()) if period.until else last + timedelta(seconds=1)
    found: list[datetime] = []
    while at < end:
        if by == "hour":
            began, at = _hour(at, zone)
            found.append(began)
        else:
            found.append(at)
            at = _next(at, by)
        if len(found) > STEPS_MAX:
            return None
    return found


def _hour(at: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return when (UTC) the local hour of a moment began by the clock that was in force then, and when it is
    over. Where clocks are put forward or back by half an hour, one begins before the last is over."""
    past = timedelta(minutes=at.replace(tzinfo=UTC).astimezone(zone).minute)
    return at - past, at - past + timedelta(hours=1)


def truncated(at: datetime, by: str) -> datetime:
    """Return when the day, week (from Monday) or month of a moment began."""
    day = at.replace(hour=0, minute=0, second=0, microsecond=0)
    if by == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if by == "month" else day


def shown(at: datetime, by: str, zone: tzinfo) -> str:
    """Write a step as reports name it: 2026-11-29, the Monday of a week, 2026-11. An hour, which is UTC, by
    the local clock and how far that is from UTC, as in 2026-10-25T02:00+01:00: a clock that is put back
    shows 02:00 twice."""
    if by != "hour":
        return at.strftime("%Y-%m" if by == "month" else "%Y-%m-%d")
    late = (at + _ALMOST_AN_HOUR).replace(tzinfo=UTC).astimezone(zone)
    offset = "" if str(zone) == "UTC" else late.isoformat(timespec="minutes")[_MINUTE_SHOWN:]
    return f"{late:%Y-%m-%dT%H:00}{offset}"


def _next(at: datetime, by: str) -> datetime:
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
