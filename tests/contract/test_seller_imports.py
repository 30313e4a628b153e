"""Files that sellers send: taken in the background, each row counted, and every bad one named by its line."""

import io
import zipfile

from journeys.people import until
from spreadsheet import workbook

from mercat.web.routes import PREFIX

PATH = f"{PREFIX}/seller/imports"
HEADING = "External ID,Title,Price,Quantity,Category,Colour"


async def sends(people, content, name="goods.csv", **more):
    content = content.encode() if isinstance(content, str) else content
    answer = await people.seller.post(PATH, files={"file": (name, content)}, data=more)
    assert answer.status_code == 202, answer.text
    return await ended(people, answer)


async def ended(people, started):
    import_id = started.json()["import_id"]
    found = {}

    async def is_over():
        found.update((await people.seller.get(f"{PATH}/{import_id}")).json())
        return found["status"] in ("done", "failed")

    await until(is_over, within=60)
    return found


def counts(report):
    return [report[name] for name in ("rows", "added", "changed", "unchanged", "refused")]


async def offers(people):
    answer = await people.seller.get(f"{PREFIX}/seller/offers?limit=100")
    return {each["title"]: (each["price"], each["quantity"]) for each in answer.json()["offers"]}


async def test_a_file_is_taken_and_its_bad_rows_are_named(people):
    rows = ("1,Mug,9.50,4,Kitchen,blue", "2,Cup,cheap,4,Cups,", "3,Jug,5,1,not-a-cat,", "4,Pot,dear,1,Cups,")
    content = "\n".join((HEADING, *rows, ""))
    report = await sends(people, content)
    assert (report["status"], counts(report)) == ("done", [4, 1, 0, 0, 3])
    assert report["unused_columns"] == ["Colour"]
    assert [(each["row"], each["column"], each["code"]) for each in report["problems"]] == [
        (3, "Price", "invalid"),
        (4, "Category", "category_unknown"),
        (5, "Price", "invalid"),
    ]
    assert await offers(people) == {"Mug": (9.5, 4)}
    slugs = [each["slug"] for each in (await people.nobody.get(f"{PREFIX}/categories")).json()["categories"]]
    assert "not-a-cat" not in slugs
    page = await people.seller.get(f"/desk/upload/{report['import_id']}")
    assert page.status_code == 200
    assert "cheap" in page.text
    other = await people.shopper.post(f"{PREFIX}/sellers", json={"name": "Another"})
    assert other.status_code == 201
    assert (await people.shopper.get(f"{PATH}/{report['import_id']}")).status_code == 404


async def test_what_a_file_says_is_changed_and_the_rest_stays(people):
    await sends(people, f"{HEADING}\n1,Mug,9.50,4,Kitchen,\n2,Cup,3,7,Cups,\n")
    update = "external_id,price,quantity\n1,8,9\n2,3,7\n"
    part = {"file": ("a.csv", update)}
    refused = await people.seller.post(PATH, files=part, data={"dry_run": "maybe"})
    assert (refused.status_code, refused.json()["pointer"]) == (422, "/dry_run")
    checked = await sends(people, update, dry_run="true")
    assert counts(checked) == [2, 0, 1, 1, 0]
    assert (await offers(people))["Mug"] == (9.5, 4)
    report = await sends(people, update)
    assert counts(report) == [2, 0, 1, 1, 0]
    assert await offers(people) == {"Mug": (8, 9), "Cup": (3, 7)}
    assert counts(await sends(people, update)) == [2, 0, 0, 2, 0]
    stock_alone = await sends(people, "external_id;quantity\n2;5\nnone;5\n")
    assert counts(stock_alone) == [2, 0, 1, 0, 1]
    assert (await offers(people))["Cup"] == (3, 5)
    assert stock_alone["problems"][0]["row"] == 3


async def test_a_spreadsheet_says_the_same_as_a_list(people):
    report = await sends(
        people, workbook({"Goods": [["external_id", "title", "price"], ["1", "Mug", 9.5]]}), "a.xlsx"
    )
    assert (report["status"], counts(report)) == ("done", [1, 1, 0, 0, 0]), report
    assert (await offers(people))["Mug"] == (9.5, 0)


async def test_what_is_no_file_of_products_fails_and_says_why(people):
    report = await sends(people, "shop,street\nOurs,High Street\n", "stores.csv")
    assert report["status"] == "failed"
    assert "stores.csv is not a file of products" in report["detail"]
    wrong = await people.seller.post(PATH, files={"file": ("a.csv", b"a")}, data={"format": "shopfy"})
    assert (wrong.status_code, wrong.json()["pointer"]) == (422, "/format")
    for files in ({}, {"file": ("a.csv", b"")}):
        said = await people.seller.post(PATH, files=files or {"other": ("a", b"a")})
        assert said.status_code == 422


async def test_one_that_died_is_carried_on_and_counts_as_if_it_had_not(people, db):
    content = f"{HEADING}\n" + "".join(f"{n},Mug {n},9.50,4,Kitchen,\n" for n in range(1_200))
    report = await sends(people, content)
    assert counts(report) == [1_200, 1_200, 0, 0, 0]
    # As it stands when the process dies after two batches: they are remembered, the third is not.
    await db.execute(
        "update sellers.import set status = 'running', format = '', lease_until = '-infinity', content = $1",
        content.encode(),
    )
    kept = b'{"added":500,"changed":0,"unchanged":0,"reference":"","stock":{},"refused":[],"counts":[]}'
    row = await db.fetchrow("select import_id from sellers.import")
    for n in (1, 2):
        await db.execute("insert into sellers.import_batch values ($1, $2, $3)", row["import_id"], n, kept)

    async def ended():
        found = (await people.seller.get(f"{PATH}/{report['import_id']}")).json()
        return found["status"] == "done" and counts(found) == [1_200, 1_000, 0, 200, 0]

    await until(ended, within=60)
    assert not await db.fetchval("select count(*) from sellers.import_batch")


PRESTASHOP = (
    "Product ID;Active (0/1);Name *;Price tax excluded;Categories (x,y,z...)\n1;1;Player;49;Kitchen\n"
)
COMBINATIONS = """\
Product ID*;Attribute (Name:Type:Position)*;Value (Value:Position)*;Reference;Impact on price;Quantity
1;Size:select:0;Small:0;p-s;0;3
1;Size:select:0;Large:1;p-l;20.5;x
1;Size:select:0;Huge:2;p-h;30;2
"""


async def test_combinations_come_beside_their_products_or_in_one_zip(people):
    files = [("file", ("products.csv", PRESTASHOP)), ("file", ("combinations.csv", COMBINATIONS))]
    started = await people.seller.post(PATH, files=files)
    assert started.status_code == 202, started.text
    report = await ended(people, started)
    assert (report["status"], report["file"], counts(report)) == (
        "done", "products.csv, combinations.csv", [4, 1, 0, 0, 1],
    )  # fmt: skip
    assert [(each["row"], each["detail"][:18]) for each in report["problems"]] == [(3, "combinations.csv: ")]
    listed = (await people.seller.get(f"{PREFIX}/seller/products")).json()["products"]
    shown = (await people.seller.get(f"{PREFIX}/seller/products/{listed[0]['product_id']}")).json()
    assert [(each["sku"], each["price"], each["quantity"]) for each in shown["variants"]] == [
        ("p-s", 49, 3),
        ("p-h", 79, 2),
    ]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for _, (name, content) in files:
            archive.writestr(f"export/{name}", content)
    again = await sends(people, packed.getvalue(), "export.zip")
    assert counts(again) == [4, 0, 0, 1, 1]
    alone = await sends(people, COMBINATIONS, "combinations.csv")
    assert alone["status"] == "failed"
    assert "combinations.csv holds variants" in alone["detail"]
    two = await people.seller.post(PATH, files=[("file", (each, PRESTASHOP)) for each in ("a.csv", "b.csv")])
    assert "a.csv, b.csv are 2 files" in (await ended(people, two))["detail"]
