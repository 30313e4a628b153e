"""For the larder."""

from mercat.lab.demo.templates import DepartmentTemplate, Kind, detail, flag, number, text, tint

_ORGANIC = flag(
    "organic", "Organic", "It is certified organic.", 0.55, "It is grown conventionally, by people we know."
)

GROCERY = DepartmentTemplate(
    name="Grocery",
    brands=(
        "Larkfield",
        "Orchardsend",
        "Beanmoor",
        "Hivewell",
        "Copperkettle",
        "Olivarra",
        "Cocoahaven",
        "Pantry & Plume",
        "Wildbarrow",
        "Brambleden",
        "Sunpressed",
    ),
    closes=(
        "Keep it cool, dry and out of the sun.",
        "Best within three months of opening.",
        "The grower's name is on the label, and the price that was paid.",
        "The packaging can go with the paper.",
        "Six or more are sent free of charge.",
    ),
    praise=(
        "Tastes the way it used to.",
        "The best I have had from a shop.",
        "Fresh, and well packed.",
        "We are on our fourth one.",
        "Not too sweet, which is rare.",
        "A treat, and worth the money.",
    ),
    gripes=(
        "Good, but the packet is small.",
        "A bit too strong for me.",
        "The lid was hard to open.",
        "I prefer last year's harvest.",
        "Arrived with only two months left on the date.",
    ),
    kinds=(
        Kind(
            name="Coffee",
            picture="pouch",
            nouns=("Coffee Beans", "Espresso Beans", "Breakfast Coffee", "Filter Coffee"),
            title="{brand} {model} {Roast} {Noun}, {weight} g",
            attributes=(
                text("roast", "Roast", "Medium Roast", "Dark Roast", "Light Roast"),
                number("weight", "Weight (g)", 250, 500, 1_000, lift=0.7),
                text(
                    "grind", "Grind", "Whole Bean", "Filter", "Espresso", "French Press", varies=0.35, most=4
                ),
                detail(
                    "taste",
                    "hazelnut and dark chocolate",
                    "red berries and honey",
                    "caramel and orange",
                    "cocoa and dried plum",
                ),
                text("origin", "Origin", "Kenya", "Ethiopia", "Colombia", "Guatemala", "Sumatra"),
                _ORGANIC,
                tint("Terracotta", "Black", "Forest", "Sand", "Navy", "Cream", "Teal"),
            ),
            price=(11, 0.25),
            opens=(
                "{Roast_} {noun} with a taste of {taste}.",
                "Roasted on Tuesdays, sent on Wednesdays: {brand}'s {model}, from {Origin}.",
            ),
            says=(
                "{organic}",
                "The drum turns slowly for eighteen minutes, which takes out the bitterness.",
                "It makes a round espresso and an honest filter coffee.",
                "The bag has a valve and a zip, and keeps the aroma for weeks.",
            ),
            tags=("coffee", "fair trade", "breakfast", "roastery"),
        ),
        Kind(
            name="Tea",
            picture="tin",
            nouns=("Black Tea", "Green Tea", "Herbal Tea", "Earl Grey Tea", "Rooibos Tea"),
            title="{brand} {model} {Noun}, {weight} g Tin",
            attributes=(
                number("weight", "Weight (g)", 50, 100, 200, lift=0.5),
                text("form", "Form", "Loose Leaf", "Tea Bags", varies=0.3, most=2),
                number("minutes", "Minutes to steep", 2, 3, 4, 6),
                detail(
                    "taste", "malt and honey", "meadow and lemon", "smoke and plum", "vanilla and orange peel"
                ),
                _ORGANIC,
                tint("Sage", "Plum", "Red", "Ochre", "Teal", "Navy", "Rose"),
            ),
            price=(9, 0.3),
            opens=(
                "{Noun_} with notes of {taste}, in a tin of {weight} g.",
                "A cup of {model} after {minutes} minutes puts most things right.",
            ),
            says=(
                "{organic}",
                "Picked by hand in spring and dried in the shade.",
                "The leaves give a second infusion, and a third.",
                "The tin closes tightly and is too good to throw away.",
            ),
            tags=("tea", "loose leaf", "afternoon", "gift"),
        ),
        Kind(
            name="Honey & Jam",
            picture="jar",
            nouns=(
                "Blossom Honey",
                "Strawberry Jam",
                "Forest Honey",
                "Apricot Jam",
                "Blackcurrant Jam",
                "Orange Marmalade",
            ),
            looks=(4, (0, 1, 0, 2, 3, 2)),
            title="{brand} {model} {Noun}, {weight} g",
            attributes=(
                number("weight", "Weight (g)", 220, 340, 500, lift=0.3),
                number("fruit", "Fruit or honey (%)", 60, 70, 85, 100),
                _ORGANIC,
                detail(
                    "place",
                    "a valley in the south",
                    "orchards by the lake",
                    "the edge of the moor",
                    "old meadows",
                ),
                tint("Ochre", "Red", "Sage", "Cream", "Teal", "Rose"),
            ),
            price=(7, 0.3),
            opens=(
                "{Noun_} from {place}, filled by hand.",
                "The {model} is stirred in copper pans, forty jars at a time.",
            ),
            says=(
                "{organic}",
                "Nothing is added for colour or keeping.",
                "It is as good on porridge as on bread.",
                "The jar takes a place in the next preserving season.",
            ),
            tags=("breakfast", "spread", "natural", "preserves"),
        ),
        Kind(
            name="Chocolate",
            picture="bar",
            nouns=("Chocolate Bar", "Dark Chocolate", "Milk Chocolate", "Single-Origin Chocolate"),
            title="{brand} {model} {cocoa} % {Noun} with {Extra}",
            attributes=(
                number("cocoa", "Cocoa (%)", 42, 55, 70, 85),
                text("extra", "With", "Sea Salt", "Hazelnuts", "Orange", "Cherries", "Coffee", "Almonds"),
                number("weight", "Weight (g)", 70, 100, 180, lift=0.35),
                _ORGANIC,
                tint("Terracotta", "Navy", "Forest", "Red", "Ochre", "Plum", "Teal", "Black"),
            ),
            price=(5, 0.3),
            opens=(
                "{cocoa} % cocoa and {extra}, in a bar of {weight} g that breaks with a snap.",
                "{Noun_} stirred for three days, until nothing is left to chew on.",
            ),
            says=(
                "{organic}",
                "The beans come by sailing ship, which takes longer and costs less air.",
                "It is sweetened with unrefined sugar only.",
                "The wrapper is drawn by a different artist each year.",
            ),
            tags=("sweets", "gift", "cocoa", "treat"),
        ),
        Kind(
            name="Oil & Vinegar",
            picture="oil",
            nouns=("Olive Oil", "Rapeseed Oil", "Apple Vinegar", "Walnut Oil", "Balsamic Vinegar"),
            looks=(2, (1, 0, 0, 0, 1)),
            title="{brand} {model} {Press} {Noun}",
            attributes=(
                number("volume", "Volume (ml)", 250, 500, 750, unit="ml", lift=0.45, varies=0.3, most=3),
                text("press", "Method", "Cold Pressed", "Unfiltered", "Barrel Aged"),
                detail("taste", "artichoke and pepper", "green apple", "walnut and hay", "ripe plum"),
                _ORGANIC,
                tint("Forest", "Ochre", "Slate", "Sand", "Navy", "Red"),
            ),
            price=(13, 0.35),
            opens=(
                "{Press_} {noun} that tastes of {taste}.",
                "From one harvest and one mill: {brand}'s {model}.",
            ),
            says=(
                "{organic}",
                "Pour it over tomatoes, beans or nothing but bread.",
                "The dark glass keeps the light out and the spout does not drip.",
                "From tree to bottle it takes less than a day.",
            ),
            tags=("cooking", "salad", "mediterranean", "larder"),
        ),
    ),
)
