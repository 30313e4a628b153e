"""Drawn pictures: every product of the demo has one, and so has whatever came without a picture that loads.

A picture is told by its kind, a seed and a title alone, so its address carries all of it:
`/media/art/demo-0000042.svg?k=mug&s=1043`. The seed says, digit by digit, which colour, which backdrop, how
the thing stands and which pattern it wears; the first is its index in `COLOURS`, so a sand mug is drawn in
sand.
"""

import re
from html import escape
from urllib.parse import parse_qs
from zlib import crc32

from mercat.lab.demo.palette import Tones, distance, mixed
from mercat.lab.demo.silhouettes import SILHOUETTES, box

COLOURS = {
    "Black": "#33363b",
    "Sand": "#d9c3a0",
    "White": "#f2efe8",
    "Slate": "#6d7c8a",
    "Forest": "#3f6250",
    "Terracotta": "#c46f4e",
    "Navy": "#33496f",
    "Sage": "#98ae92",
    "Ochre": "#d6a13f",
    "Sky": "#84b0cf",
    "Plum": "#75506f",
    "Rose": "#d99a98",
    "Teal": "#2f7f80",
    "Grey": "#a9adae",
    "Red": "#b8433f",
    "Cream": "#eee0c4",
}
_PARTNERS = ("#d6a13f", "#c46f4e", "#2f7f80", "#f2efe8", "#d99a98", "#33496f", "#e0b45c", "#b8433f")
_BACKDROPS = (
    ("#f8f4ec", "#e6dccb"),
    ("#eff4f7", "#d3dfe7"),
    ("#faf0ec", "#edd5cb"),
    ("#f1f5ec", "#d5e0cb"),
    ("#f3f0f7", "#dcd5e8"),
    ("#f3f3f1", "#d9d9d5"),
    ("#f9f1df", "#eadab8"),
    ("#ecf5f3", "#cbe0dc"),
)
_POSES = ("", ' transform="translate(800) scale(-1 1)"', ' transform="translate(-84 -76) scale(1.2)"')
POSES = len(_POSES)
BACKDROPS = len(_BACKDROPS)
PATTERNS = 12
"""More there are not: silhouettes look at the rest by 2, 3 or 4."""
_COLOUR_CODES = list(COLOURS.values())
_SEED_MAX = 10**9
_TITLE_MAX = 200

# Which words of a title or a category tell the silhouette.
_WORDS = {
    "monitor": "monitor display screen tv television projector",
    "laptop": "laptop notebook-computer macbook ultrabook chromebook computer desktop tablet keyboard",
    "phone": "phone smartphone iphone handset mobile",
    "case": "case sleeve shell protector skin holster",
    "charger": "charger cable adapter adaptor battery batteries ups cord",
    "headphones": "headphone headphones headset earbuds earphones earphone",
    "speaker": "speaker speakers soundbar radio stereo",
    "camera": "camera lens webcam camcorder",
    "watch": "watch smartwatch clock tracker",
    "mug": "mug cup teacup beaker",
    "pan": "pan saucepan cookware wok skillet casserole",
    "kettle": "kettle teapot jug",
    "lamp": "lamp lights lantern bulb candle candleholder t-light",
    "chair": "chair stool armchair sofa bench seat furniture",
    "cushion": "cushion pillow blanket throw quilt",
    "towel": "towel linen duvet napkin",
    "book": "book novel paperback hardback books dvd album",
    "shirt": "shirt tee t-shirt blouse dress",
    "hoodie": "hoodie jumper sweater jacket coat cardigan fleece",
    "trousers": "trousers jeans chinos shorts leggings pants",
    "shoe": "shoe shoes boot boots trainer trainers sandal slipper",
    "hat": "hat cap beanie",
    "bag": "bag backpack rucksack tote satchel luggage",
    "block": "block blocks bricks toy toys",
    "bear": "bear plush doll teddy soft-toy",
    "puzzle": "puzzle jigsaw game games",
    "car": "car truck train vehicle van",
    "ball": "ball football basketball",
    "dumbbell": "dumbbell weight weights kettlebell",
    "tent": "tent tarp shelter",
    "flask": "flask bottle thermos",
    "mat": "mat rug carpet",
    "cream": "cream balm moisturiser lotion mask",
    "perfume": "perfume fragrance cologne toilette",
    "soap": "soap sponge",
    "tube": "shampoo conditioner toothpaste serum gel",
    "plant": "plant fern palm succulent flower flowers herb",
    "can": "watering hose sprinkler",
    "trowel": "trowel fork secateurs tool tools screwdriver hammer",
    "pen": "pen pencil marker highlighter",
    "notebook": "notebook journal diary planner notepad paper label labels folder",
    "tray": "organiser organizer tray stapler",
    "pouch": "coffee beans rice pasta flour",
    "tin": "tea tin canister",
    "jar": "honey jam marmalade jar chutney",
    "bar": "chocolate biscuit",
    "oil": "oil vinegar wine syrup",
    "cartridge": "cartridge toner ink drum",
    "printer": "printer copier scanner fax multifunction multifunctional laserjet",
    "chip": "chip processor cpu motherboard module ram ssd drive disk hdd graphics",
    "router": "router switch modem network server gateway",
    "ornament": "ornament decoration bauble heart garland christmas star bunting",
    "frame": "frame picture sign cards poster wrap mirror plaque print",
}
_KIND_OF = {word: kind for kind, words in _WORDS.items() for word in words.split()}
_WORD = re.compile(r"[a-z]+(?:-[a-z]+)*")


def draw(kind: str, seed: int, title: str) -> str:
    """Draw a picture of 800 by 800 (SVG); a kind that is not known is drawn as a box."""
    seed = abs(seed) % _SEED_MAX
    rest, colour = divmod(seed, len(_COLOUR_CODES))
    rest, backdrop = divmod(rest, BACKDROPS)
    pattern, pose = divmod(rest, POSES)
    base = _COLOUR_CODES[colour]
    partners = [each for each in _PARTNERS if distance(each, base) > 130]
    tones = Tones.of(base, partners[(colour + pattern) % len(partners)])
    top, bottom = _BACKDROPS[backdrop]
    if tones.pale:
        top, bottom = mixed(top, "#8a8478", 0.16), mixed(bottom, "#8a8478", 0.3)
    backdrop_colour = _gradient("b", ' x2="0" y2="1"', (0, top), (1, bottom))
    body_colour = _gradient("m", "", (0, tones.light), (0.45, tones.base), (1, tones.dark))
    name = escape(_printable(title)[:_TITLE_MAX].strip())
    named = f"<title>{name}</title>" if name else ""
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="800" height="800" viewBox="0 0 800 800" role="img">'
        f"{named}<defs>{backdrop_colour}{body_colour}"
        '<radialGradient id="s"><stop stop-color="#1d1a14" stop-opacity=".34"/>'
        '<stop offset=".6" stop-color="#1d1a14" stop-opacity=".12"/>'
        '<stop offset="1" stop-color="#1d1a14" stop-opacity="0"/></radialGradient>'
        f'</defs><path fill="url(#b)" d="M0 0h800v800H0z"/>{_scene(backdrop)}'
        f"<g{_POSES[pose]}>{SILHOUETTES.get(kind, box)(tones, pattern)}</g></svg>"
    )


def draw_from_path(path: str, query: str) -> str:
    """Draw the picture of an address: what follows `/media/art/`, and the query `k=kind&s=seed&t=title`.

    Each may be missing, wrong or hostile. Without a kind the title tells it, without a seed the path."""
    asked = parse_qs(query[:2_000], errors="replace", max_num_fields=None)
    title = asked.get("t", [""])[0]
    kind = asked.get("k", [""])[0]
    digits = asked.get("s", [""])[0]
    seed = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 12 else seed_of(path)
    return draw(kind if kind in SILHOUETTES else kind_of(title), seed, title)


def kind_of(title: str, category: str = "") -> str:
    """Choose the silhouette for a product of which only words are known. The first words of a title that mean
    something say it, and the last of them if they follow each other: a phone case is a case, and so is a case
    for a phone. Where the title says nothing the category may."""
    for text in (title, category):
        found = ""
        for word in _WORD.findall(text[:_TITLE_MAX].lower()):
            if kind := _KIND_OF.get(word) or _KIND_OF.get(word.removesuffix("s")):
                found = kind
            elif found:
                break
        if found:
            return found
    return "box"


def seed_of(text: str) -> int:
    """Make a seed for something that has only a name: standing straight."""
    rest = crc32(text.encode("utf-8", "replace"))
    rest, colour = divmod(rest, len(COLOURS))
    rest, backdrop = divmod(rest, BACKDROPS)
    return seed_for(colour, backdrop, 0, rest % PATTERNS)


def seed_for(colour: int, backdrop: int, pose: int, pattern: int) -> int:
    """Put these digits together to a seed."""
    return colour + len(COLOURS) * (backdrop + BACKDROPS * (pose + POSES * pattern))


def _gradient(name: str, direction: str, *stops: tuple[float, str]) -> str:
    colours = "".join(f'<stop offset="{offset}" stop-color="{colour}"/>' for offset, colour in stops)
    return f'<linearGradient id="{name}"{direction}>{colours}</linearGradient>'


def _scene(backdrop: int) -> str:
    """Draw what stands behind: a disc, an arch or a table's edge, hardly there."""
    if backdrop % 3 == 0:
        return '<circle cx="400" cy="392" r="292" fill="#fff" fill-opacity=".42"/>'
    if backdrop % 3 == 1:
        return '<path d="M150 800V372a250 250 0 0 1 500 0V800z" fill="#fff" fill-opacity=".4"/>'
    return '<path d="M0 584h800v216H0z" fill="#fff" fill-opacity=".38"/>'


def _printable(text: str) -> str:
    """Remove what XML forbids: control characters, lone surrogates, the two non-characters."""
    return re.sub(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "", text)
