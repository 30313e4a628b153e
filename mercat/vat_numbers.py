"""VAT numbers of the European Union, by their form: length, letters and check digits.

Whether a number is in use only the member state knows (VIES); that is not asked here.
"""

from unicodedata import normalize

from stdnum.eu import vat

EU = frozenset(
    {
        *("AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU"),
        *("IE", "IT", "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK"),
    }
)
"""Its member states (ISO 3166-1)."""
_GREECE = {"EL": "GR"}


def vat_number(given: str) -> str | None:
    """Return a number as it is written in full, as `ATU13585627`; None where its form is wrong."""
    try:
        return str(vat.validate(normalize("NFKC", given)))
    except Exception:
        return None


def member_state(number: str) -> str:
    """Return the country of a number in full (ISO 3166-1): that of `EL…` is `GR`."""
    return _GREECE.get(number[:2], number[:2])
