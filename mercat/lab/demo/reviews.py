"""What people say of the demo's goods."""

from random import Random
from zlib import crc32

from mercat.lab.demo.departments import DEPARTMENTS
from mercat.lab.demo.names import FIRST_NAMES, LAST_NAMES
from mercat.lab.demo.products import ProductRow

_DEPARTMENTS = {department.name: department for department in DEPARTMENTS}
_USUAL = (5, 3, 6, 19, 67)

# By stars, from one to five.
_HEADS = (
    ("Went back", "Disappointed", "Not for me"),
    ("Below expectations", "Hm", "So-so at best"),
    ("It is all right", "Fair", "Mixed feelings"),
    ("Good", "Nearly perfect", "Pleased with it", "Does the job well"),
    ("Excellent", "Just right", "Would buy again", "Very happy", "Better than expected", "A good buy"),
)
_AFTER = (
    ("I sent it back and had my money after four days.", "Not again.", "A pity, I wanted to like it."),
    ("I would choose another next time.", "The shop was helpful, to be fair."),
    ("It does what it should, no more.", "For the price it will do."),
    ("Otherwise I am pleased.", "A small thing, I would still recommend it.", "Four stars, and deserved."),
    (
        "Recommended.",
        "Delivery was quick too.",
        "Thank you.",
        "No complaints at all.",
        "My second order here.",
    ),
)


def reviews(row: ProductRow, n: int) -> list[tuple[int, str, str, str]]:
    """Write so many reviews of a product: stars, title, body, name. Stars fall as in its histogram."""
    random = Random(crc32(row.external_id.encode()))
    department = _DEPARTMENTS[row.category_path[0]]
    weights = row.rating_histogram if any(row.rating_histogram) else _USUAL
    written: list[tuple[int, str, str, str]] = []
    for stars in random.choices((1, 2, 3, 4, 5), weights, k=n):
        good, also = random.sample(department.praise, 2)
        bad = random.choice(department.gripes)
        sentences = {5: [good, also], 4: [good, bad]}.get(stars, [bad])
        if stars < 4 or random.random() < 0.6:
            sentences.append(random.choice(_AFTER[stars - 1]))
        author = f"{random.choice(FIRST_NAMES)} {random.choice(LAST_NAMES)[0]}."
        written.append((stars, random.choice(_HEADS[stars - 1]), " ".join(sentences), author))
    return written
