"""The few tones that one drawn thing is made of."""

from typing import Self

from msgspec import Struct


class Tones(Struct, frozen=True):
    """From light to deep; `partner` is another colour that goes with it."""

    light: str
    base: str
    dark: str
    deep: str
    glow: str
    partner: str
    pale: bool
    body: str = "url(#m)"
    ink: str = "#2a2d31"
    paper: str = "#fbf9f4"
    metal: str = "#c3c7c9"
    wood: str = "#b98f62"

    @classmethod
    def of(cls, base: str, partner: str) -> Self:
        """Derive the tones from a colour and its partner."""
        return cls(
            light=mixed(base, "#ffffff", 0.25),
            base=base,
            dark=mixed(base, "#2b2320", 0.22),
            deep=mixed(base, "#1d1b1e", 0.5),
            glow=mixed(base, "#ffffff", 0.7),
            partner=partner,
            pale=sum(_parts(base)) > 600,
        )


def mixed(one: str, other: str, share: float) -> str:
    """Mix so large a `share` of the other colour into the one."""
    return "#" + "".join(
        f"{round(a + (b - a) * share):02x}" for a, b in zip(_parts(one), _parts(other), strict=True)
    )


def distance(one: str, other: str) -> int:
    """Measure how far two colours are apart: the sum over red, green and blue."""
    return sum(abs(a - b) for a, b in zip(_parts(one), _parts(other), strict=True))


def _parts(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
