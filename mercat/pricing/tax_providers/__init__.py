"""The tax providers that the shop can ask: one folder each, and one line in this list."""

from mercat.pricing.tax_provider import TaxProviderDeclaration, TaxProviderModule
from mercat.pricing.tax_providers import sandbox, stripe_tax
from mercat.settings import Settings, WrongSetting

TABLES = "tables"
"""Nobody is asked: the shop's own rates say it."""
TAX_PROVIDERS: dict[str, TaxProviderModule] = {
    "sandbox": sandbox,
    "stripe_tax": stripe_tax,
}


def tax_declaration(settings: Settings) -> TaxProviderDeclaration | None:
    """Return what the provider that the settings name says of itself, None for the shop's own rates; raises
    WrongSetting."""
    if settings.tax_provider == TABLES:
        return None
    module = TAX_PROVIDERS.get(settings.tax_provider)
    if module is None:
        known = ", ".join([TABLES, *TAX_PROVIDERS])
        raise WrongSetting(f"MERCAT_TAX_PROVIDER cannot be {settings.tax_provider!r}: it is {known}.")
    return module.declare(settings)
