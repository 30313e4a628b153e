"""VAT numbers of the European Union, by their form: length, letters and check digits.

Whether a number is in use only the member state knows (VIES); that is not asked here.
"""

from unicodedata import normalize

from stdnum.eu import vat

_EU = frozenset(
    {
        *("AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU"),
        *("IE", "IT", "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK"),
    }
)
"""Its member states (ISO 3166-1)."""
_NORTHERN_IRELAND = "BT"
"""Postal codes there begin so; VAT numbers with XI."""
_GREECE = {"EL": "GR"}
_AS_ANOTHER = {"MC": "FR"}
"""Monaco is of the VAT of France (2006/112/EC art. 7)."""


def vat_country(country: str) -> str:
    """Answer whose VAT a country (ISO 3166-1) is of: Monaco of that of France, each other of its own."""
    return _AS_ANOTHER.get(country, country)


def is_in_eu(country: str, postal_code: str = "") -> bool:
    """Answer whether goods that go there go into the EU: for them Northern Ireland is as a member state."""
    northern_irish = country == "GB" and postal_code.lstrip().upper().startswith(_NORTHERN_IRELAND)
    return vat_country(country) in _EU or northern_irish


def vat_number(given: str) -> str | None:
    """Return a number as it is written in full, as `ATU13585627`; None where its form is wrong."""
    try:
        return str(vat.validate(normalize("NFKC", given)))
    except Exception:
        return None


def member_state(number: str) -> str:
    """Return the country of a number in full (ISO 3166-1): that of `EL…` is `GR`."""
    return _GREECE.get(number[:2], number[:2])
