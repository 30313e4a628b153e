"""For skin, hair and noses."""

from mercat.lab.demo.templates import DepartmentTemplate, Kind, flag, number, text, tint

_SCENT = text(
    "scent", "Scent", "Lavender", "Cedar", "Rose", "Fig", "Citrus", "Unscented", "Sage", varies=0.35, most=4
)

BEAUTY = DepartmentTemplate(
    name="Beauty",
    brands=(
        "Rosefennel",
        "Alderbloom",
        "Maison Verelle",
        "Saltpetal",
        "Lunaveil",
        "Botanwick",
        "Clearmere",
        "Velvettarn",
        "Honeymyrtle",
        "Thistle & Quince",
        "Iriswell",
    ),
    closes=(
        "Never tested on animals.",
        "The full list of ingredients is on the label, in words one can read.",
        "Keeps for twelve months once opened.",
        "The packaging can be sent back to be filled again.",
        "Made in small batches; the date is stamped on the base.",
    ),
    praise=(
        "My skin has not been this calm for years.",
        "A little goes a very long way.",
        "The scent is there and then politely leaves.",
        "Finally one that does not sting.",
        "Third time I order it.",
        "Lovely packaging, makes a nice present.",
    ),
    gripes=(
        "The scent is not for me.",
        "The pump gave up before the bottle was empty.",
        "Takes a while to sink in.",
        "Good, but a small jar for the price.",
        "Did nothing much for dry hands.",
    ),
    kinds=(
        Kind(
            name="Skin Care",
            picture="cream",
            nouns=("Day Cream", "Night Cream", "Hand Balm", "Face Mask", "Moisturiser"),
            title="{brand} {model} {Noun} with {Herb}, {volume} ml",
            attributes=(
                text("herb", "Key ingredient", "Oat", "Calendula", "Almond", "Rosehip", "Aloe"),
                number("volume", "Volume (ml)", 30, 50, 75, 100, lift=0.2),
                text("skin", "Skin type", "Dry Skin", "Normal Skin", "Sensitive Skin", "Oily Skin"),
                flag(
                    "vegan",
                    "Vegan",
                    "It contains nothing from animals.",
                    0.7,
                    "A little beeswax holds it together.",
                ),
                tint("Rose", "Sage", "Sky", "Cream", "Plum", "White"),
            ),
            price=(22, 0.45),
            opens=(
                "A {noun} with {herb} for {skin}, rich at first and gone after a minute.",
                "{brand}'s {model} is a short recipe: eleven ingredients, each with a job.",
            ),
            says=(
                "{vegan}",
                "{Herb_} calms what wind and heating have done.",
                "A pea-sized amount is enough.",
                "It has no colouring and no mineral oil.",
                "It was tried by eighty people over six weeks before it was sold.",
            ),
            tags=("skincare", "natural", "face", "vegan"),
        ),
        Kind(
            name="Fragrance",
            picture="perfume",
            nouns=("Eau de Parfum", "Eau de Toilette", "Cologne", "Perfume Oil"),
            title="{brand} {model} {Noun}, {Note}",
            attributes=(
                text(
                    "note",
                    "Scent",
                    "Cedar and Smoke",
                    "Fig Leaf",
                    "Orange Blossom",
                    "Rain and Moss",
                    "Vetiver",
                    "White Tea",
                    "Sea Salt",
                ),
                number("volume", "Volume (ml)", 30, 50, 100, unit="ml", lift=0.45, varies=0.4, most=3),
                tint("Ochre", "Rose", "Terracotta", "Sky", "Plum", "Sage"),
            ),
            price=(54, 0.4),
            opens=(
                "{model} opens bright, settles into {note} and stays near the skin.",
                "The {noun} of someone who arrives on foot and with time.",
            ),
            says=(
                "It lasts for about seven hours.",
                "The bottle is heavy glass with a wooden stopper, and can be filled again.",
                "The alcohol is distilled from wheat.",
                "A small sample is included, so the bottle can go back unopened.",
            ),
            tags=("perfume", "gift", "scent", "unisex"),
        ),
        Kind(
            name="Soap & Bath",
            picture="soap",
            nouns=("Soap Bar", "Bath Soap", "Shaving Soap", "Hand Soap"),
            title="{brand} {model} {Oil} {Noun}, {weight} g",
            attributes=(
                text("oil", "Oil", "Almond", "Shea", "Coconut", "Hemp"),
                _SCENT,
                number("weight", "Weight (g)", 90, 120, 150, 250, lift=0.2),
                tint("Cream", "Sage", "Rose", "Plum", "Sky", "Ochre"),
            ),
            price=(8, 0.35),
            opens=(
                "A {noun} from {oil} oil, cut by hand and ripened for eight weeks.",
                "Small foam, clean rinse: {brand}'s {noun} of {weight} g.",
            ),
            says=(
                "It leaves the skin supple and the basin clean.",
                "It lasts a family of three about a month.",
                "It is wrapped in paper and nothing else.",
                "The glycerine stays in, where big makers take it out.",
            ),
            tags=("bath", "natural", "plastic free", "handmade"),
        ),
        Kind(
            name="Hair Care",
            picture="tube",
            nouns=("Shampoo", "Conditioner", "Hair Serum", "Hair Mask"),
            looks=(2, (1, 1, 1, 0)),
            title="{brand} {model} {Noun} for {Hair}, {volume} ml",
            attributes=(
                text("hair", "Hair type", "Fine Hair", "Curly Hair", "Dry Hair", "All Hair"),
                number("volume", "Volume (ml)", 150, 200, 250, 400, lift=0.15),
                _SCENT,
                flag(
                    "silicone",
                    "Silicone free",
                    "It does without silicone and sulphates.",
                    0.75,
                    "A trace of silicone helps the comb.",
                ),
                tint("Teal", "Sand", "White", "Rose", "Sage", "Slate"),
            ),
            price=(16, 0.4),
            opens=(
                "A {noun} for {hair} that cleans without stripping.",
                "{model} makes {hair} easy to comb and leaves no film behind.",
            ),
            says=(
                "{silicone}",
                "It is gentle enough for every day and for children.",
                "The bottle is made of old bottles.",
                "Work it in, wait for a minute, rinse.",
            ),
            tags=("hair", "natural", "shower", "care"),
        ),
    ),
)
