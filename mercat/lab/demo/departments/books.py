# ruff: noqa: E501
"""Things to read. Their titles are made of words; the brand is the house that prints them."""

from mercat.lab.demo.templates import DepartmentTemplate, Kind, detail, listed, number, text, tint

_PLACES = listed(
    "Harrow Bay|Saltmarsh|Winterfold|Cold Harbour|Ravensgate|the Long Valley|Lantern Street|Ashmere|the Far Islands|Kestrel Point|Old Norrland|the Lower Town|Mill Lane|Thornwick|the Glass Coast|Hollow Hill|Greywater|St Orin|the Summer House|Juniper Court|the Northern Line|Brackwater|the Orchard|Ember Row|Fennel Square|the White Quay"
)
_THINGS = listed(
    "Lighthouse|Cartographer|Orchard|Winter|Letter|Ferryman|Clockmaker|Tide|Garden|Lantern|Beekeeper|Archive|Bridge|Daughter|Painter|Harbour|Promise|Silence|Map|Visitor|Weaver|Translator|Piano|River|Summer|Inheritance|Window|Night|Gardener|Stranger|Voyage|Kingdom|Shadow|Postman|Photograph|House|Witness|Storm|Secret|Sparrow"
)
_BINDING = text("binding", "Binding", "Paperback", "Hardback", lift=0.55, varies=0.45, most=2)
_PAGES = number("pages", "Pages", 224, 288, 336, 412, 520, lift=0.04)
_LANGUAGE = text("language", "Language", "English", "English", "English", "German", "French", "Spanish")
_CLOTH = tint("Navy", "Forest", "Red", "Slate", "Ochre", "Plum", "Teal", "Black", "Terracotta", "Sand")

BOOKS = DepartmentTemplate(
    name="Books",
    brands=(
        "Harrow Lane Press",
        "Lanternfold Books",
        "Greyheron Editions",
        "Quillmill House",
        "Tidewrack Press",
        "Foxglade Books",
        "Northlight & Fen",
        "Paperbarrow",
        "Saltglass Editions",
        "Inkwood Lane",
    ),
    closes=(
        "Set in a generous type on cream paper, {pages} pages in all.",
        "{pages} pages, thread-sewn so that it stays open.",
        "With a short afterword by the author.",
        "Printed on paper from managed forests.",
        "A reading group guide can be had from the publisher.",
    ),
    praise=(
        "Read it in two evenings and started again.",
        "Beautifully written, and beautifully printed too.",
        "Lent it to my sister and never saw it again.",
        "Clear, warm and never too clever.",
        "The best thing I have read this year.",
        "The chapters are just the right length for the train.",
    ),
    gripes=(
        "The middle drags a bit.",
        "A good book with too many commas.",
        "The type is rather small for tired eyes.",
        "The ending did not convince me.",
        "Interesting, but the index is thin.",
    ),
    kinds=(
        Kind(
            name="Novels",
            picture="book",
            nouns=("Novel", "Crime Novel", "Historical Novel", "Debut Novel"),
            title="{model} by {author}",
            names=(
                "The {a} of {b}",
                "A {a} in {b}",
                "The Last {a} of {b}",
                "{b} and the {a}",
                "No {a} for {b}",
                "The {a} and {b}",
                "Return to {b}: The {a}",
                "What the {a} Knew of {b}",
            ),
            first=_THINGS,
            second=_PLACES,
            attributes=(
                _BINDING,
                _PAGES,
                _LANGUAGE,
                _CLOTH,
                detail(
                    "hero",
                    "a retired translator",
                    "an elder sister",
                    "a ship's cook",
                    "a young surveyor",
                    "the last postman of the island",
                ),
            ),
            price=(14, 0.22),
            opens=(
                "In {author}'s new {noun}, {hero} comes home after eleven years and finds the house let to strangers.",
                "A letter arrives forty years late, and {hero} has until the end of summer to answer it.",
                "Told over one winter, this is the story of {hero} and of everything that was left unsaid.",
            ),
            says=(
                "What begins as an errand becomes a search, and what is found is not what was lost.",
                "It is funny on one page and quietly devastating on the next.",
                "Few writers know so well how people talk when they mean something else.",
                "The landscape is drawn so closely that you can smell the rain.",
                "Readers of slow mysteries and fast conversations will feel at home.",
            ),
            tags=("fiction", "literature", "paperback", "reading", "bestseller"),
        ),
        Kind(
            name="Cookery",
            picture="book",
            nouns=("Cookbook", "Baking Book", "Recipe Collection"),
            title="{model} by {author}",
            names=(
                "{a}: {b}",
                "The {a} Book: {b}",
                "Simply {a}: {b}",
                "{a} at Home: {b}",
                "A Year of {a}: {b}",
                "The Little Book of {a}: {b}",
                "More {a}: {b}",
            ),
            first=listed(
                "Bread|Soup|One Pot|Sunday Lunch|Noodles|Pickles|Cakes|Beans & Grains|Green Suppers|Small Plates|Slow Roasts|Breakfast|Dumplings|Picnics|Fish|Salads|Stews|Pastry|Street Food|Preserves"
            ),
            second=listed(
                "80 recipes for weekdays|100 recipes from one stove|Cooking with the seasons|A cook's notebook|Recipes from four grandmothers|Dinner in half an hour|For two and for twenty|From the market to the table|Recipes and stories|60 ways to feed friends|The essential guide|Plain and good"
            ),
            attributes=(_BINDING, _PAGES, _LANGUAGE, _CLOTH, number("recipes", "Recipes", 60, 80, 100, 120)),
            price=(24, 0.25),
            opens=(
                "{author} has cooked for forty guests and for one, and this {noun} is for both days.",
                "{recipes} recipes that were each cooked in an ordinary kitchen until they could not go wrong.",
            ),
            says=(
                "Every recipe fits on one spread, with the quantities where you look for them.",
                "Nothing needs a shop that is more than a walk away.",
                "A chapter on what to do with the rest saves more than the book costs.",
                "The photographs were taken of the food that was then eaten.",
                "Weights are given in grams and in cups.",
            ),
            tags=("cooking", "food", "recipes", "kitchen", "gift"),
        ),
        Kind(
            name="Science & Nature",
            picture="book",
            nouns=("Field Guide", "Popular Science Book", "Illustrated Guide"),
            title="{model} by {author}",
            names=(
                "{a}: {b}",
                "The Secret Life of {a}: {b}",
                "Why {a} Matter: {b}",
                "Among {a}: {b}",
                "{a} Explained: {b}",
                "Listening to {a}: {b}",
                "A History of {a}: {b}",
            ),
            first=listed(
                "Owls|Rivers|Clouds|Mosses|Numbers|Volcanoes|Bees|Tides|Stars|Trees|Whales|Fungi|Crystals|Proteins|Swifts|Glaciers|Soils|Comets|Algorithms|Spiders"
            ),
            second=listed(
                "A field guide|An introduction|What they tell us|Twelve walks|A natural history|The new science|Notes from ten years|How they shaped the world|A year of watching|For curious people|From the very small to the very large|An illustrated companion"
            ),
            attributes=(
                _BINDING,
                _PAGES,
                _LANGUAGE,
                _CLOTH,
                number("plates", "Illustrations", 40, 90, 160, 240),
            ),
            price=(21, 0.28),
            opens=(
                "A {noun} that begins at the kitchen window and ends far out.",
                "{author} has spent half a life on the subject and explains it as if over the garden fence.",
            ),
            says=(
                "{plates} drawings and photographs show what words cannot.",
                "No formula is used without saying what it is for.",
                "Each chapter closes with something to go and look at yourself.",
                "The notes at the back lead to the papers, for those who want more.",
            ),
            tags=("science", "nature", "non-fiction", "illustrated"),
        ),
        Kind(
            name="History & Travel",
            picture="book",
            nouns=("History", "Travel Book", "Biography"),
            title="{model} by {author}",
            names=(
                "{a} {b}",
                "{a} {b}: A History",
                "{a} {b}: A Journey",
                "{a} {b} and Its People",
                "{a} {b} in Twelve Objects",
                "{a} {b}: A Life",
            ),
            first=listed(
                "The Roads to|The Making of|Slow Train to|Walking|The Fall of|Letters from|The Merchants of|Twelve Days in|The Builders of|A Winter in|Maps of|Voices of|The Gardens of|Crossing"
            ),
            second=_PLACES,
            attributes=(_BINDING, _PAGES, _LANGUAGE, _CLOTH, number("maps", "Maps", 4, 8, 12, 20)),
            price=(19, 0.28),
            opens=(
                "A {noun} written from account books, letters and gravestones, and all the livelier for it.",
                "{author} goes on foot where others went by the archive, and brings back both.",
            ),
            says=(
                "{maps} maps were drawn for this edition.",
                "Kings and battles are kept short; bread, boats and rents are not.",
                "It reads like a novel, and its footnotes can be trusted.",
                "The last chapter arrives at the present and looks back kindly.",
            ),
            tags=("history", "travel", "non-fiction", "biography"),
        ),
        Kind(
            name="Children's Books",
            picture="book",
            nouns=("Picture Book", "Bedtime Story", "Read-Aloud Book"),
            title="{model} by {author}",
            names=(
                "{a} and the {b}",
                "{a} Finds a {b}",
                "Goodnight, {a}: The {b} Story",
                "How {a} Lost the {b}",
                "{a} and the Very Big {b}",
                "Where Is {a}'s {b}?",
                "The {b} That {a} Built",
            ),
            first=listed(
                "Little Badger|Captain Hen|Otto the Owl|Miss Mouse|The Smallest Bear|Pip the Penguin|Grandpa Goat|Hedgehog|Tilda Toad|The Sleepy Fox|Rosa Rabbit|Doctor Duck|Moritz Mole|The Brave Snail|Wilma Whale|Baby Bat"
            ),
            second=listed(
                "Moon|Red Boat|Kite|Winter Coat|Blue Door|Birthday Cake|Bicycle|Snow Storm|Apple Tree|Lost Sock|Brass Band|Rocket|Umbrella|Pancake|Lighthouse|Night Train|Puddle|Treasure|Violin|Tent"
            ),
            attributes=(
                text(
                    "binding", "Binding", "Board Book", "Paperback", "Hardback", lift=0.3, varies=0.3, most=2
                ),
                number("pages", "Pages", 24, 32, 48, 64, lift=0.05),
                text("age", "Age", "2 and up", "3 and up", "4 and up", "6 and up"),
                _LANGUAGE,
                _CLOTH,
            ),
            price=(11, 0.22),
            opens=(
                "A {noun} about being small, being brave and being home in time for supper.",
                "{author} tells and paints a story that wants to be read twice in a row.",
            ),
            says=(
                "The rhymes trip off the tongue, even at the end of a long day.",
                "There is a snail hidden on every page.",
                "For children aged {age}, and for whoever holds the book.",
                "The corners are round and the pages take rough love.",
            ),
            tags=("children", "picture book", "bedtime", "gift"),
        ),
    ),
)
