"""The rules of `rules.py` hold in the whole package, and each is seen to find a planted breach.

`REMAINING` names what breaks a rule today. It is strict both ways: a breach that is not in it fails, and so
does an entry that is no breach any more. It only shrinks.
"""

from collections import defaultdict
from pathlib import Path

import pytest
from tidy import rules

from mercat.shop import SERVICES

PACKAGE = Path(__file__).parents[2] / "mercat"
SOURCES = rules.python(PACKAGE)
SESSION_START = {"accounts": {"guest"}}
"""A guest's session that nobody uses expires by itself, so a handler may start one before its own verb."""
VERBS = rules.Verbs(
    all={name: {verb.name for verb in service.verbs} for name, service in SERVICES.items()},
    writing={
        name: {verb.name for verb in service.verbs if not verb.reads} - SESSION_START.get(name, set())
        for name, service in SERVICES.items()
    },
    of_class={service.kind.__name__: name for name, service in SERVICES.items()},
)
WEB = ("web/", "gateway/", "storefront/")
IN_ONE_PROCESS = ("shop.py", "app.py", "lab/simulate/")
"""They build the services, run their background duties, or crash them: never those of another process."""
EDGES = {
    "cart/stored.py": "a cart in Valkey has decimals, as clients of that hash expect",
    "catalog/amounts.py": "import files have decimals",
    "flashsale/sales.py": "the document of a sale is served as it is signed",
    "catalog/columns.py": "import files have decimals",
    "pricing/tax_files.py": "files of rates have decimals",
    "payments/providers/": "providers are asked over HTTP",
    "webhooks/payloads.py": "receivers get the JSON of the public API",
    "search/engines/": "OpenSearch is asked over HTTP",
}
"""Formats of others that a service reads and writes, with the reason."""
LIBRARY_SETTINGS = {"payments/providers/stripe/adapter.py"}
"""`stripe.enable_telemetry` is how that library documents to switch it off."""
SHARED_NAMES: dict[str, str] = {}
"""Class names that mean two things, with the reason."""

REMAINING: dict[str, set[str]] = {}


def of(rule: str) -> set[str]:
    """What is known to break a rule."""
    return REMAINING.get(rule, set())


def in_services(path: str) -> bool:
    """Say whether a module is part of a service, and not where it meets a format of others."""
    return path.split("/")[0] in SERVICES and not path.startswith((*EDGES,))


def broken(rule, paths):
    """Map each module that breaks the rule to how."""
    return {path: breaches for path in paths if (breaches := rule(SOURCES[path]))}


def test_functions_fit_on_a_screen():
    assert broken(rules.long_functions, SOURCES).keys() == of("long")


def test_an_exception_from_a_rule_carries_its_reason():
    assert broken(rules.exceptions_without_reason, SOURCES).keys() == of("noqa")


def test_somebody_elses_code_is_patched_in_one_file():
    assert broken(rules.foreign_patches, set(SOURCES) - {"kit/patches.py"} - LIBRARY_SETTINGS).keys() == of(
        "patches"
    )


def test_formats_of_http_stay_in_the_web_layer():
    assert broken(rules.formats_below_web, filter(in_services, SOURCES)).keys() == of("formats")


def test_a_class_name_means_one_thing():
    homes = defaultdict(list)
    for path, source in SOURCES.items():
        for name in rules.public_classes(source):
            homes[name].append(path)
    assert {name for name, paths in homes.items() if len(paths) > 1} == {*SHARED_NAMES} | of("names")


def test_a_statement_of_many_parameters_names_them():
    files = {str(path.relative_to(PACKAGE)): path.read_text() for path in PACKAGE.rglob("*.sql")}
    assert {path for path, text in files.items() if rules.numbered_parameters(text)} == of("numbers")


def test_a_handler_awaits_at_most_one_verb_that_writes():
    layer = {path: source for path, source in SOURCES.items() if path.startswith(WEB)}
    assert set(rules.several_writes(layer, VERBS)) == of("writes")


def test_what_is_asked_of_a_service_is_in_its_table_of_routes():
    missing = {
        f"{path}: {service}.{verb}"
        for path, source in SOURCES.items()
        if not path.startswith(IN_ONE_PROCESS)
        for service, verb in rules.called_verbs(source, VERBS)
        if verb not in VERBS.all[service]
    }
    assert missing == of("routes")


PLANTED = {
    "long": (rules.long_functions, "def f():\n" + "    x = 1\n" * 60, "def f():\n" + "    x = 1\n" * 59),
    "noqa": (
        rules.exceptions_without_reason,
        "run(command)  # noqa: S603\n",
        "run(command)  # noqa: S603  - the command is our own\n",
    ),
    "bare noqa": (rules.exceptions_without_reason, "run(command)  # noqa\n", "run(command)\n"),
    "patches": (
        rules.foreign_patches,
        "import httpx\nhttpx.Client.send = None",
        "class Own:\n    pass\nOwn.send = None",
    ),
    "patches by setattr": (
        rules.foreign_patches,
        "from asyncpg import protocol\nsetattr(protocol, 'x', 1)",
        "from mercat.kit import clock\nsetattr(clock, 'x', 1)",
    ),
    "status": (
        rules.formats_below_web,
        "class Late(Conflict):\n    status = 409",
        "class Late(Conflict):\n    tries = 409",
    ),
    "status given": (rules.formats_below_web, "answer(body, status=201)", "answer(body, status='sent')"),
    "status compared": (rules.formats_below_web, "if answer.status_code == 404: pass", "if n == 404: pass"),
    "decimals": (rules.formats_below_web, "from decimal import Decimal", "from fractions import Fraction"),
    "decimals by name": (rules.formats_below_web, "price = money.shown(799, 'USD')", "price = 799"),
    "JSON": (rules.formats_below_web, "class CartShown(Struct): ...", "class CartView(Struct): ..."),
    "numbers": (rules.numbered_parameters, "select $5", "select $4 -- not $5"),
    "names": (rules.public_classes, "class Basket: ...", "class _Basket: ..."),
}


@pytest.mark.parametrize(("rule", "bad", "good"), PLANTED.values(), ids=PLANTED)
def test_a_rule_finds_a_planted_breach_and_nothing_else(rule, bad, good):
    assert rule(bad)
    assert not rule(good)


STUDY = rules.Verbs({"cart": {"add", "show"}}, {"cart": {"add"}}, {"Cart": "cart"})
HANDLER = "class CartApi:\n    async def add(self, ask):\n"


@pytest.mark.parametrize(
    "body",
    [
        "        await self._shop.cart.add(1)\n        await self._shop.cart.add(2)",
        "        for each in ask:\n            await self._shop.cart.add(each)",
        "        await self._fill()\n        await self._shop.cart.add(1)\n"
        "    async def _fill(self):\n        await self._shop.cart.add(2)",
        "        if ask:\n            await self._shop.cart.add(1)\n"
        "        return await self._shop.cart.add(2)",
    ],
    ids=["twice", "in a loop", "through a helper", "before another"],
)
def test_two_writes_on_one_way_are_found(body):
    assert rules.several_writes({"web/cart.py": HANDLER + body}, STUDY) == ["web/cart.py: CartApi.add"]


@pytest.mark.parametrize(
    "body",
    [
        "        await self._shop.cart.show(1)\n        await self._shop.cart.add(1)",
        "        if ask:\n            return await self._shop.cart.add(1)\n"
        "        return await self._shop.cart.add(2)",
        "        if ask:\n            await self._shop.cart.add(1)\n"
        "        else:\n            await self._shop.cart.add(2)",
    ],
    ids=["read, then write", "one or the other", "either branch"],
)
def test_one_write_on_each_way_is_fine(body):
    assert rules.several_writes({"web/cart.py": HANDLER + body}, STUDY) == []


def test_a_verb_outside_of_the_table_is_seen_from_pages_and_from_services():
    page = "async def cart(shop):\n    return await shop.cart.hidden(1)"
    service = "class Checkout:\n    def __init__(self, cart: Cart):\n        self._cart = cart\n"
    service += "    async def buy(self):\n        await self._cart.hidden(1)"
    assert rules.called_verbs(page, STUDY) == [("cart", "hidden")]
    assert rules.called_verbs(service, STUDY) == [("cart", "hidden")]


def test_nothing_remains_that_was_mended():
    known = {"long", "noqa", "patches", "formats", "names", "numbers", "writes", "routes"}
    assert REMAINING.keys() <= known
