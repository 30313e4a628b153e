"""How a kind of goods is described, so that any number of plausible things of it can be made.

Templates are filled with attributes: `{material}` is the value as a sentence says it ("stoneware"),
`{Material}` as a title does ("Stoneware"), `{Material_}` begins a sentence. `{brand}`, `{model}` and
`{noun}` are always there; books have an `{author}`, and what goes with another thing a `{fits}`.
"""

from msgspec import Struct

Value = str | float | bool


class AttributeTemplate(Struct, frozen=True):
    """Something that differs between things of a kind; the earlier values are the commoner."""

    key: str
    label: str
    """The attribute's name; one without is for sentences only."""
    values: tuple[Value, ...]
    texts: tuple[str, ...]
    unit: str = ""
    lift: float = 0.0
    """How much more each next value costs."""
    varies: float = 0.0
    """How often it is left to the buyer, as an option."""
    most: int = 4
    shares: tuple[float, ...] | None = None


class Kind(Struct, frozen=True):
    """A leaf of the category tree, or what goes with its things (`extra`)."""

    name: str
    picture: str
    nouns: tuple[str, ...]
    title: str
    attributes: tuple[AttributeTemplate, ...]
    price: tuple[float, float]
    """Median and spread (sigma) of a log-normal law."""
    opens: tuple[str, ...]
    says: tuple[str, ...]
    tags: tuple[str, ...]
    looks: tuple[int, tuple[int, ...]] = (1, ())
    """Which patterns suit each noun: those that leave this rest when divided by the first number."""
    extra: "Kind | None" = None
    names: tuple[str, ...] = ()
    """Patterns of proper titles, such as books have, over `first` and `second`."""
    first: tuple[str, ...] = ()
    second: tuple[str, ...] = ()


class DepartmentTemplate(Struct, frozen=True):
    """A department: its brands, its kinds of goods, and what people say of them."""

    name: str
    brands: tuple[str, ...]
    closes: tuple[str, ...]
    """How a description may end."""
    praise: tuple[str, ...]
    gripes: tuple[str, ...]
    kinds: tuple[Kind, ...]


def text(
    key: str, label: str, *values: str, lift: float = 0.0, varies: float = 0.0, most: int = 4
) -> AttributeTemplate:
    """Describe an attribute of words."""
    return AttributeTemplate(key, label, values, values, "", lift, varies, most)


def number(
    key: str,
    label: str,
    *values: float,
    unit: str = "",
    lift: float = 0.0,
    varies: float = 0.0,
    most: int = 3,
) -> AttributeTemplate:
    """Describe an attribute of numbers, with their unit."""
    return AttributeTemplate(
        key,
        label,
        tuple(map(float, values)),
        tuple(f"{value:,g}" for value in values),
        unit,
        lift,
        varies,
        most,
    )


def flag(key: str, label: str, phrase: str, share: float, otherwise: str = "") -> AttributeTemplate:
    """Describe a yes or no, and what templates say of each."""
    return AttributeTemplate(key, label, (True, False), (phrase, otherwise), shares=(share, 1 - share))


def detail(key: str, *values: str) -> AttributeTemplate:
    """Describe what only sentences say."""
    return AttributeTemplate(key, "", values, values)


def colour(*names: str, varies: float = 0.25, most: int = 3) -> AttributeTemplate:
    """Describe the colours that a thing is sold in."""
    return AttributeTemplate("colour", "Colour", names, names, varies=varies, most=most)


def tint(*names: str) -> AttributeTemplate:
    """Describe a colour for the picture only: jam is not sold by it."""
    return AttributeTemplate("colour", "", names, names)


def listed(words: str) -> tuple[str, ...]:
    """Split words at `|`."""
    return tuple(words.split("|"))
