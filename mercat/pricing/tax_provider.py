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


class TaxTransaction(NamedTuple):
    """A sale as a provider has recorded it: what it calls it, and the tax that it reckoned."""

    reference: str
    tax: int


class TaxUnreachable(TimeoutError):
    """The provider did not answer, or cannot say."""


class TaxRefused(Exception):
    """The provider answered that it does not record this; the message says why. To ask again is of no use."""


class TaxProvider(Protocol):
    """The adapter of a tax provider. Any error counts as no answer."""

    async def taxes(self, question: TaxQuestion) -> TaxAnswer:
        """Say what tax is owed."""
        ...

    async def record(self, key: str, question: TaxQuestion) -> TaxTransaction:
        """Record a sale, once a key. TaxRefused where it never will; any other error counts as no answer."""
        ...

    async def reverse(self, key: str, reference: str, amount: int, currency: str, *, whole: bool) -> str:
        """Reverse so much of a recorded sale, tax included, once a key; `whole`: all of it. Return what the
        provider calls it; raises as `record` does."""
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
