"""What children, and some others, play with."""

from mercat.demo.kinds import Department, Kind, colour, detail, flag, number, text, tint

_AGE = text("age", "Age", "3 and up", "1 and up", "5 and up", "8 and up")

TOYS = Department(
    name="Toys & Games",
    brands=(
        "Tumblewick",
        "Pipkinbury",
        "Little Fennel",
        "Woodle & Wren",
        "Bricklebee",
        "Hopscotch Hollow",
        "Marblemoon",
        "Puddlefox",
        "Nimblenook",
        "Snugglefen",
    ),
    closes=(
        "Paints and varnish are made on water and safe to chew on.",
        "Missing parts are sent free of charge, for as long as the toy is made.",
        "Batteries are not needed, ever.",
        "It comes in a box that is a toy too.",
        "Tested to the European and the American standard.",
    ),
    praise=(
        "My daughter has not put it down since Saturday.",
        "Survived three children and a dog.",
        "Lovely quality, no sharp edges anywhere.",
        "A present that was actually played with.",
        "We adults like it too.",
        "Well made, and it fits back into the box.",
    ),
    gripes=(
        "Smaller than I thought.",
        "Too difficult for a three-year-old.",
        "The box was dented on arrival.",
        "One part was missing, it came a week later.",
        "Good, but loud on a wooden floor.",
    ),
    kinds=(
        Kind(
            name="Building Blocks",
            picture="block",
            nouns=("Building Blocks", "Wooden Blocks", "Stacking Blocks", "Magnetic Blocks"),
            title="{brand} {model} {Noun}, {pieces} pieces",
            facts=(
                number("pieces", "Pieces", 24, 36, 50, 80, 120, lift=0.25),
                text("wood", "Material", "Beech", "Maple", "Linden", "Cork"),
                _AGE,
                tint("Red", "Sky", "Ochre", "Teal", "Terracotta", "Sage"),
            ),
            price=(26, 0.35),
            opens=(
                "{Noun_} of {wood}: {pieces} pieces that become a town, a ship or a very tall tower.",
                "The {model} set grows with the child, from the first row of two to bridges.",
            ),
            says=(
                "Every edge is rounded and sanded by hand.",
                "The measures are exact, so towers stand straight.",
                "A cotton bag keeps them together.",
                "For children aged {age}.",
            ),
            tags=("wooden toys", "construction", "learning", "montessori"),
        ),
        Kind(
            name="Soft Toys",
            picture="bear",
            nouns=("Teddy Bear", "Plush Rabbit", "Soft Toy Bear", "Cuddly Bunny"),
            title="{brand} {model} {Noun}, {height} cm",
            facts=(
                number("height", "Height (cm)", 18, 25, 32, 45, lift=0.25),
                text("cover", "Material", "Organic Cotton", "Plush", "Wool"),
                flag(
                    "wash",
                    "Machine washable",
                    "goes through the washing machine at thirty degrees",
                    0.7,
                    "is cleaned with a damp cloth",
                ),
                _AGE,
                colour("Sand", "Ochre", "Rose", "Grey", "Cream", "Terracotta", varies=0.3),
            ),
            price=(23, 0.35),
            opens=(
                "A {noun} of {height} cm with a serious face and a soft belly.",
                "{model} listens well, keeps secrets and fits under an arm.",
            ),
            says=(
                "The fur is {cover}, the filling is wool.",
                "Eyes and nose are embroidered, so nothing can come off.",
                "It {wash}.",
                "A small label inside has room for a name.",
            ),
            tags=("plush", "baby", "cuddly", "gift"),
        ),
        Kind(
            name="Puzzles & Games",
            picture="puzzle",
            nouns=("Jigsaw Puzzle", "Board Game", "Wooden Puzzle", "Memory Game"),
            title="{brand} {model} {Noun}, {pieces} pieces",
            facts=(
                number("pieces", "Pieces", 48, 100, 500, 1_000, 1_500, lift=0.12),
                number("minutes", "Minutes to play", 20, 45, 60, 90),
                detail(
                    "picture",
                    "a harbour at dusk",
                    "a market hall",
                    "forest animals",
                    "an old map",
                    "a night train",
                ),
                text("age", "Age", "5 and up", "3 and up", "8 and up"),
                tint("Teal", "Navy", "Terracotta", "Ochre", "Sage", "Plum"),
            ),
            price=(18, 0.35),
            opens=(
                "A {noun} of {pieces} pieces that shows {picture}.",
                "For rainy Sundays: a {noun} that takes about {minutes} minutes the first time.",
            ),
            says=(
                "The pieces are thick, cut cleanly and lie flat.",
                "The rules fit on one card and are learnt in five minutes.",
                "For one to four players aged {age}.",
                "The print is matt, so the lamp above the table does not glare.",
            ),
            tags=("family", "game night", "puzzle", "rainy day"),
        ),
        Kind(
            name="Toy Vehicles",
            picture="car",
            nouns=("Toy Car", "Tipper Truck", "Push-Along Car", "Delivery Van"),
            title="{brand} {model} {Material} {Noun}",
            facts=(
                text("material", "Material", "Beech", "Birch", "Recycled Plastic", "Tin"),
                number("length", "Length (cm)", 12, 18, 24, 32, lift=0.15),
                _AGE,
                flag(
                    "load",
                    "Opens",
                    "The back opens and takes a load.",
                    0.5,
                    "Nothing opens, so nothing gets lost.",
                ),
                colour("Red", "Sky", "Ochre", "Forest", "White", "Teal", varies=0.4),
            ),
            price=(19, 0.35),
            opens=(
                "A {noun} in {material}, {length} cm long, that rolls straight across the whole hall.",
                "The {model} goes anywhere a hand can push it.",
            ),
            says=(
                "{load}",
                "The wheels have rubber rims and are kind to floors.",
                "The axles are steel, and pressed in for good.",
                "For drivers aged {age}.",
            ),
            tags=("vehicles", "wooden toys", "push along", "garage"),
        ),
    ),
)
