"""What pricing asks of a tax provider, and what a provider says of itself.

Each provider is a folder in `tax_providers`; here is what all of them have in common. Who is free of tax or
owes it themselves, and what is money (gift cards), is decided before one is asked.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from mercat.settings import Settings


class TaxQuestion(NamedTuple):
    """What goes where, in minor units: goods by class of tax, after all that is taken off, and delivery.

    `included`: prices have the tax in them."""

    goods: Mapping[str, int]
    shipping: int
    currency: str
    country: str
    region: str
    postal_code: str
    included: bool


class TaxAnswer(NamedTuple):
    """The tax on goods, by their class, and on delivery, in minor units."""

    goods: Mapping[str, int]
    shipping: int


class TaxUnreachable(TimeoutError):
    """The provider did not answer, or cannot say."""


class TaxProvider(Protocol):
    """The adapter of a tax provider. Any error counts as no answer."""

    async def taxes(self, question: TaxQuestion) -> TaxAnswer:
        """Say what tax is owed."""
        ...

    async def close(self) -> None: ...


class TaxProviderDeclaration(NamedTuple):
    """What the rest of the shop has to know of the provider in use."""

    title: str
    """Its name for people."""
    connect: Callable[[], TaxProvider]
    """Make the adapter: only then is the provider's library loaded."""


class TaxProviderModule(Protocol):
    """What the module of a provider's folder has."""

    @property
    def OWN_SETTINGS(self) -> type[Any]:
        """Return the struct of the settings that only this provider has."""
        ...

    def declare(self, settings: Settings) -> TaxProviderDeclaration:
        """Say what the shop has to know of it; raises WrongSetting."""
        ...
