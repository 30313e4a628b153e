"""On which day a parcel leaves and arrives: working days, holidays and a cut-off. Decisions without IO.

Public holidays and weekends of countries are those of the library `holidays`; a holiday of one region is
none here.
"""

from collections.abc import Collection
from datetime import date, datetime, time, timedelta
from functools import cache, lru_cache
from zoneinfo import ZoneInfo

from holidays import HolidayBase, country_holidays

from mercat.fulfilment.messages import ShippingProfile

_A_DAY = timedelta(days=1)
_SATURDAY, _SUNDAY = 5, 6
_SUNDAYS = frozenset({_SUNDAY})
_KNOWN_MAX = 4_096


@lru_cache(_KNOWN_MAX)
def arrives(leaves: date, days: int, country: str = "") -> date:
    """Answer the date so many delivery days after a parcel left.

    Carriers rest on public holidays of the country they bring it to, and on Sundays; where the weekend has no
    Sunday, on the weekend."""
    known = _holidays_of(country)
    closed: Collection[date] = () if known is None else known
    rests: Collection[int] = _SUNDAYS
    if known is not None and _SUNDAY not in known.weekend:
        rests = known.weekend
    day = leaves
    while days:
        day += _A_DAY
        if day.weekday() not in rests and day not in closed:
            days -= 1
    return day


def leaves(now: datetime, profile: ShippingProfile) -> date:
    """Answer the day on which what is ordered now goes to the carrier."""
    if profile.handling_days is None and profile.cut_off is None:
        return now.date()
    here = now.astimezone(ZoneInfo(profile.time_zone))
    day = here.date()
    if profile.cut_off is not None and here.time() > time.fromisoformat(profile.cut_off):
        day += _A_DAY
    left = profile.handling_days or 0
    while left or not _is_working_day(day, profile):
        if _is_working_day(day, profile):
            left -= 1
        day += _A_DAY
    return day


def has_holidays(country: str) -> bool:
    """Answer whether the public holidays of a country are known."""
    return _holidays_of(country.upper()) is not None


def _is_working_day(day: date, profile: ShippingProfile) -> bool:
    kept = profile.holidays
    if isinstance(kept, str):
        known = _holidays_of(kept.upper())
        return known is None or (day.weekday() not in known.weekend and day not in known)
    return day.weekday() < _SATURDAY and day not in (kept or ())


@cache
def _holidays_of(country: str) -> HolidayBase | None:
    """Find the calendar of a country; None where the library has none.

    One that was never asked is empty, and so false: it works out a year when it is asked for a day of it."""
    try:
        return country_holidays(country) if country else None
    except NotImplementedError:
        return None
