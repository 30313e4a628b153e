"""Exports of other shops: of each a small file of invented goods, and the exact shop that must come of it."""

# ruff: noqa: E501  rows of exports are as long as they are

import io
import json
import random
from contextlib import AsyncExitStack, suppress
from typing import Any, NamedTuple

import pytest

from mercat.app import build_shop
from mercat.catalog import BadField, Columns, ImportRow, recognise
from mercat.catalog.file_rows import column_name, read_rows
from mercat.cli.open_demo import ImportOptions, import_files
from mercat.kit import codec


class Sample(NamedTuple):
    """A file, its format's name, and what must stand in the shop: by external id (title, status, brand,
    category, pictures, variants as (options, price, stock))."""

    format: str
    content: str
    wanted: dict[str, tuple[Any, ...]]
    left_out: int = 0
    name: str = "products.csv"


IMG = "https://img.example/"
SAMPLES = {
    "Shopify before 2025": Sample(
        "Shopify products",
        f"""\
Handle,Title,Body (HTML),Vendor,Product Category,Type,Tags,Published,Option1 Name,Option1 Value,Option2 Name,Option2 Value,Variant SKU,Variant Grams,Variant Inventory Tracker,Variant Inventory Qty,Variant Price,Variant Compare At Price,Image Src,Image Position,Variant Image,Status
moss-tee,Moss Tee,<p>Soft &amp; green</p>,Fernhill,Apparel > Shirts,Shirt,"summer, green",true,Colour,Moss,Size,S,MT-S,150,shopify,4,"1,019.50",25.00,{IMG}moss.jpg,1,{IMG}moss-s.jpg,active
river-cup,River Cup,,Fernhill,,Cups,,true,Title,Default Title,,,RC,300,,0,8.00,,,,,draft
moss-tee,,,,,,,,,Moss,,M,MT-M,150,shopify,0,19.50,,{IMG}back.jpg,2,,
moss-tee,,,,,,,,,,,,,,,,,,{IMG}label.jpg,3,,
""",
        {
            "moss-tee": (
                "Moss Tee",
                "active",
                "Fernhill",
                ["Apparel", "Shirts"],
                ["moss.jpg", "back.jpg", "label.jpg"],
                [
                    ({"Colour": "Moss", "Size": "S"}, 101_950, 4),
                    ({"Colour": "Moss", "Size": "M"}, 1_950, None),
                ],
            ),
            "river-cup": ("River Cup", "draft", "Fernhill", ["Cups"], [], [({}, 800, None)]),
        },
    ),
    "Shopify since 2025": Sample(
        "Shopify products",
        f"""\
Title,URL handle,Description,Vendor,Product category,Type,Tags,Published on online store,Status,SKU,Barcode,Option1 name,Option1 value,Option1 Linked To,Price,Compare-at price,Inventory tracker,Inventory quantity,Weight value (grams),Product image URL,Image position,Variant image URL,Material (product.metafields.custom.material)
Fox Lamp,fox-lamp,<ul><li>Warm</li><li>Small</li></ul>,Tarn,Home > Lamps,,,TRUE,Active,FL-R,,Finish,Rust,,45,,shopify,3,900,{IMG}fox.jpg,1,,Brass
,fox-lamp,,,,,,,,FL-B,,,Black,,47.5,,shopify,2,900,,,{IMG}fox-b.jpg,
Heron Rug,heron-rug,,Tarn,,,,FALSE,Active,HR,,Title,Default Title,,120.00,,shopify,1,,,,,
""",
        {
            "fox-lamp": (
                "Fox Lamp",
                "active",
                "Tarn",
                ["Home", "Lamps"],
                ["fox.jpg"],
                [({"Finish": "Rust"}, 4_500, 3), ({"Finish": "Black"}, 4_750, 2)],
            ),
            "heron-rug": ("Heron Rug", "draft", "Tarn", ["uncategorised"], [], [({}, 12_000, 1)]),
        },
    ),
    "WooCommerce": Sample(
        "WooCommerce products",
        f"""\
ID,Type,SKU,Name,Published,Is featured?,Visibility in catalog,Short description,Description,Date sale price starts,Date sale price ends,In stock?,Stock,Sale price,Regular price,Categories,Tags,Images,Parent,Attribute 1 name,Attribute 1 value(s),Attribute 1 visible,Attribute 1 global
11,simple,BEAN-1,Bean Bag,1,0,visible,,<p>Sit.</p>,,,1,12,30,35,"Home, Home > Seats",soft,"{IMG}bean.jpg, {IMG}bean2.jpg",,Filling,Straw,1,0
12,variable,HOOD,Hood,1,0,visible,Warm,,,,1,,,,Clothing > Hoods,,{IMG}hood.jpg,,Size,"S, M",1,1
13,simple,,Old Bell,0,0,visible,,,,,0,,,9,Toys,,,,,,,
14,variation,HOOD-S,Hood - S,1,0,visible,,,,,1,5,,42.5,,,{IMG}hood-s.jpg,HOOD,Size,S,,1
15,variation,HOOD-M,Hood - M,1,0,visible,,,,,0,,,44,,,,id:12,Size,M,,1
16,variation,LOST,Lost,1,0,visible,,,,,1,5,,1,,,,GONE,Size,S,,1
""",
        {
            "BEAN-1": (
                "Bean Bag",
                "active",
                None,
                ["Home", "Seats"],
                ["bean.jpg", "bean2.jpg"],
                [({}, 3_500, 12)],
            ),
            "HOOD": (
                "Hood",
                "active",
                None,
                ["Clothing", "Hoods"],
                ["hood.jpg", "hood-s.jpg"],
                [({"Size": "S"}, 4_250, 5), ({"Size": "M"}, 4_400, None)],
            ),
            "13": ("Old Bell", "draft", None, ["Toys"], [], [({}, 900, None)]),
        },
        left_out=1,
    ),
    "Magento": Sample(
        "Magento products",
        f"""\
sku,store_view_code,attribute_set_code,product_type,categories,name,description,product_online,visibility,price,special_price,qty,is_in_stock,base_image,additional_images,additional_attributes,configurable_variations
JAR-S,,Default,simple,,Jar S,,1,Not Visible Individually,9.5000,,7.0000,1,,,size=S,
JAR-L,,Default,simple,,Jar L,,1,Not Visible Individually,14.0000,,3.0000,0,,,size=L,
PAN,,Default,simple,"Default Category/Kitchen,Default Category/Kitchen/Pans",Pan,<b>Flat</b>,2,"Catalog, Search",20,,5,1,{IMG}pan.jpg,,"material=Iron, black,manufacturer=Ode",
JAR,,Default,configurable,Default Category/Kitchen,Jar,,1,"Catalog, Search",,,0,1,{IMG}jar.jpg,{IMG}jar2.jpg,finish=Clear,"sku=JAR-S,size=S|sku=JAR-L,size=L"
PAN,de,Default,simple,,Pfanne,,,,,,,,,,,
""",
        {
            "JAR": (
                "Jar",
                "active",
                None,
                ["Kitchen"],
                ["jar.jpg", "jar2.jpg"],
                [({"Size": "S"}, 950, 7), ({"Size": "L"}, 1_400, None)],
            ),
            "PAN": ("Pan", "draft", "Ode", ["Kitchen", "Pans"], ["pan.jpg"], [({}, 2_000, 5)]),
        },
    ),
    "PrestaShop": Sample(
        "PrestaShop products",
        f"""\
Product ID;Active (0/1);Name *;Categories (x,y,z...);Price tax excluded;Tax rules ID;Reference #;Manufacturer;EAN13;Quantity;Description;Tags (x,y,z...);Image URLs (x,y,z...);Feature (Name:Value:Position)
7;1;Oak Stool;Home,Seats;49,90;1;OS-7;Tarn;;6;<p>Firm</p>;wood,low;{IMG}stool.jpg,{IMG}stool2.jpg;Wood:Oak:1, Height:45 cm:2
8;0;Ash Stool;Home/Seats;59.000000;1;AS-8;;;0;;;;
""",
        {
            "7": (
                "Oak Stool",
                "active",
                "Tarn",
                ["Seats"],
                ["stool.jpg", "stool2.jpg"],
                [({}, 4_990, 6)],
            ),
            "8": ("Ash Stool", "draft", None, ["Seats"], [], [({}, 5_900, None)]),
        },
    ),
    "PrestaShop's list": Sample(
        "PrestaShop products",
        """\
"Product ID";Image;Name;Reference;Category;"Price (tax excl.)";"Price (tax incl.)";Quantity;Status;Position
1;;"Elm Tray";ET;Trays;"10.00";"12.00";4;1;1
""",
        {"1": ("Elm Tray", "active", None, ["Trays"], [], [({}, 1_200, 4)])},
    ),
    "Medusa 2": Sample(
        "Medusa products",
        f"""\
Product Id,Product Handle,Product Title,Product Subtitle,Product Description,Product Status,Product Thumbnail,Product Material,Product Type Value,Product Tag 1,Variant Id,Variant Title,Variant SKU,Variant Manage Inventory,Variant Inventory Quantity,Variant Price EUR,Variant Price USD,Variant Option 1 Name,Variant Option 1 Value,Product Image 1 Url,Product Image 2 Url
prod_1,dune-vest,Dune Vest,,Light,published,{IMG}dune.jpg,Linen,Vests,sand,var_1,S,DV-S,TRUE,3,30,33,Size,S,{IMG}dune.jpg,{IMG}dune2.jpg
prod_2,reed-hat,Reed Hat,,,proposed,,,,,var_3,One,RH,TRUE,,20,22,,,,
prod_1,dune-vest,Dune Vest,,Light,published,{IMG}dune.jpg,Linen,Vests,sand,var_2,M,DV-M,TRUE,9,31,34.5,Size,M,{IMG}dune.jpg,{IMG}dune2.jpg
prod_3,kelp-bag,Kelp Bag,,,published,,,,,var_4,One,KB,TRUE,1,20,,,,,
""",
        {
            "dune-vest": (
                "Dune Vest",
                "active",
                None,
                ["Vests"],
                ["dune.jpg", "dune2.jpg"],
                [({"Size": "S"}, 3_300, 3), ({"Size": "M"}, 3_450, 9)],
            ),
            "reed-hat": ("Reed Hat", "draft", None, ["uncategorised"], [], [({}, 2_200, None)]),
        },
        left_out=1,
    ),
    "Vendure": Sample(
        "Vendure products",
        f"""\
name,slug,description,assets,facets,optionGroups,optionValues,sku,price,taxCategory,stockOnHand,trackInventory,variantAssets,variantFacets
Gull Mug,gull-mug,<p>Big</p>,{IMG}gull.jpg|{IMG}gull2.jpg,category:Mugs|brand:Ode|glaze:matt,colour,white,GM-W,14.50,standard,8,true,,
,,,,,,grey,GM-G,15.00,standard,0,true,,
Tern Bowl,tern-bowl,,,,,,TB,9.99,standard,100,false,,
""",
        {
            "gull-mug": (
                "Gull Mug",
                "active",
                "Ode",
                ["Mugs"],
                ["gull.jpg", "gull2.jpg"],
                [({"colour": "white"}, 1_450, 8), ({"colour": "grey"}, 1_500, None)],
            ),
            "tern-bowl": ("Tern Bowl", "active", None, ["uncategorised"], [], [({}, 999, None)]),
        },
    ),
    "Vendure, as its own samples are lined up": Sample(
        "Vendure products",
        f"""\
name:en   , name:de , slug , description:en , assets              , facets:en                , optionGroups , optionValues:en , optionValues:de , sku  , price , taxCategory , stockOnHand , trackInventory
Gull Mug  , Möwe    ,      , "Big, ""gull"" " ,"{IMG}gull.jpg"      , "category:Mugs|brand:Ode" ,"colour|size" , "white|big"     , "weiß|groß"     , GM-W , 14.50 , standard    , 8           , true
          ,         ,      ,                ,                     ,                          ,              , grey|big        , grau|groß       , GM-G , 15.00 , standard    , 0           , true
Tern Bowl ,         ,      , Deep           ,                     ,                          ,              ,                 ,                 , TB   , 9.99  , standard    , 100         , false
""",
        {
            "Gull Mug": (
                "Gull Mug",
                "active",
                "Ode",
                ["Mugs"],
                ["gull.jpg"],
                [
                    ({"colour": "white", "size": "big"}, 1_450, 8),
                    ({"colour": "grey", "size": "big"}, 1_500, None),
                ],
            ),
            "Tern Bowl": ("Tern Bowl", "active", None, ["uncategorised"], [], [({}, 999, None)]),
        },
    ),
    "Vendure, some cells blank": Sample(
        "Vendure products",
        """\
name,slug,description,assets,facets,optionGroups,optionValues,sku     ,price ,taxCategory,stockOnHand,trackInventory
Foo ,foo ,           ,      ,      ,Kind        ,fiz         ,foo-fiz ,420.69,standard   ,100        ,TRUE
    ,    ,           ,      ,      ,            ,buz         ,foo-buz ,420.69,standard   ,100        ,TRUE
Bar ,    ,           ,      ,      ,            ,            ,bar     ,1     ,standard   ,2          ,TRUE
""",
        {
            "foo": (
                "Foo",
                "active",
                None,
                ["uncategorised"],
                [],
                [({"Kind": "fiz"}, 42_069, 100), ({"Kind": "buz"}, 42_069, 100)],
            ),
            "Bar": ("Bar", "active", None, ["uncategorised"], [], [({}, 100, 2)]),
        },
    ),
    "Saleor": Sample(
        "Saleor products",
        f"""\
id,name,description,category,product media,variant id,variant sku,us (channel variant currency code),us (channel price amount),us (channel published),eu (channel variant currency code),eu (channel price amount),eu (channel published),north (warehouse quantity),south (warehouse quantity),brand (product attribute),size (variant attribute)
P1,Loam Pot,Deep,garden-pots,{IMG}loam.jpg,V1,LP-1,USD,12.500,True,EUR,11.000,True,3,4,Fernhill,1 l
P1,Loam Pot,Deep,garden-pots,{IMG}loam2.jpg,V2,LP-2,USD,18.00,True,EUR,16.000,True,,1,Fernhill,2 l
P2,Silt Pot,,,,V3,SP-1,USD,9,False,EUR,8,True,0,0,,
""".replace("12.500", "12.50"),
        {
            "P1": (
                "Loam Pot",
                "active",
                "Fernhill",
                ["Garden pots"],
                ["loam.jpg", "loam2.jpg"],
                [({"Size": "1 l"}, 1_250, 7), ({"Size": "2 l"}, 1_800, 1)],
            ),
            "P2": ("Silt Pot", "draft", None, ["uncategorised"], [], [({}, 900, None)]),
        },
    ),
    "BigCommerce 3": Sample(
        "BigCommerce products",
        f"""\
Item,ID,Name,Type,SKU,Options,Inventory Tracking,Current Stock,Price,Categories,Description,Is Visible,Internal Image URL (Export)
Product,90,Owl Clock,physical,OC,,variant,0,60,Home/Clocks;Gifts,<p>Ticks</p>,TRUE,
Variant,91,,,OC-R,Type=Swatch|Name=Colour|Value=Red,,2,,,,,
Variant,92,,,OC-B,Type=Swatch|Name=Colour|Value=Blue,,5,65,,,,
Image,93,,,,,,,,,,,{IMG}owl.jpg
Product,94,Jay Clock,physical,JC,,none,0,50,Gifts,,FALSE,
""",
        {
            "90": (
                "Owl Clock",
                "active",
                None,
                ["Home", "Clocks"],
                ["owl.jpg"],
                [({"Colour": "Red"}, 6_000, 2), ({"Colour": "Blue"}, 6_500, 5)],
            ),
            "94": ("Jay Clock", "draft", None, ["Gifts"], [], [({}, 5_000, None)]),
        },
    ),
    "BigCommerce 2": Sample(
        "BigCommerce products",
        f"""\
Item Type,Product ID,Product Name,Product Type,Product Code/SKU,Brand Name,Option Set,Product Description,Price,Product Visible?,Track Inventory,Current Stock Level,Category,Product Image File - 1
Product,31,Pine Frame,P,PF,Tarn,Frames,Plain,18,Y,by option,0,Frames,{IMG}pine.jpg
SKU,,[RT]Size=A4,,PF-4,,,,,,,7,,
SKU,,[RT]Size=A3,,PF-3,,,,24,,,1,,
""",
        {
            "31": (
                "Pine Frame",
                "active",
                "Tarn",
                ["Frames"],
                ["pine.jpg"],
                [({"Size": "A4"}, 1_800, 7), ({"Size": "A3"}, 2_400, 1)],
            )
        },
    ),
    "BigCommerce 2 without ids, with rules": Sample(
        "BigCommerce products",
        """\
Item Type,Product ID,Product Name,Product Code/SKU,Price,Current Stock Level,Product Visible?,Category,Brand Name,Track Inventory
Product,,Fern Disc,,20.00,0,Yes,Home/Discs;Home/Sale,Acme,by option
SKU,,"[RB]Diameter=4"" (100mm),[RB]Center Hole=7/8""-5/8"" bore",FD-4,,5,,,,
SKU,,"[S]Diameter=5"", large,[CS]Center Hole=Red:#FF0000",FD-5,,6,,,,
Rule,,"[RB]Diameter=4"" (100mm),Diameter=6"" (150mm)",,[ADD]2.50,,,,,
Product,,Tarn Disc,,21.00,4,Yes,Home/Discs,Acme,by product
Rule,,,,,,,,,
""",
        {
            "Fern Disc": (
                "Fern Disc",
                "active",
                "Acme",
                ["Home", "Discs"],
                [],
                [
                    ({"Diameter": '4" (100mm)', "Center Hole": '7/8"-5/8" bore'}, 2_250, 5),
                    ({"Diameter": '5", large', "Center Hole": "Red"}, 2_000, 6),
                ],
            ),
            "Tarn Disc": ("Tarn Disc", "active", "Acme", ["Home", "Discs"], [], [({}, 2_100, 4)]),
        },
    ),
    "OpenCart": Sample(
        "OpenCart products",
        f"""\
product_id,name(en-gb),categories,sku,quantity,model,manufacturer,image_name,price,status,description(en-gb),tags(en-gb)
42,Dell Fern,Plants,FERN,15,F-1,Fernhill,{IMG}fern.jpg,7.5000,true,&lt;p&gt;Green&lt;/p&gt;,green
43,Dell Moss,"20,24",,0,F-2,,catalog/moss.jpg,3.0000,false,,
""",
        {
            "42": ("Dell Fern", "active", "Fernhill", ["Plants"], ["fern.jpg"], [({}, 750, 15)]),
            "43": ("Dell Moss", "draft", None, ["uncategorised"], [], [({}, 300, None)]),
        },
    ),
    "Wix": Sample(
        "Wix products",
        f"""\
handleId,fieldType,name,description,productImageUrl,collection,sku,ribbon,price,surcharge,visible,discountMode,discountValue,inventory,weight,productOptionName1,productOptionType1,productOptionDescription1
p-1,Product,Lark Kite,<p>Flies</p>,{IMG}lark.jpg;{IMG}lark2.jpg,Kites;Toys,LK,,25,,true,PERCENT,0,InStock,,Size,DROP_DOWN,S;L
p-1,Variant,,,,,LK-S,,,0,true,,,4,,,,S
p-1,Variant,,,,,LK-L,,,5.5,true,,,OutOfStock,,,,L
p-2,Product,Wren Kite,,,,WK,,30,,false,,,InStock,,,,
""",
        {
            "p-1": (
                "Lark Kite",
                "active",
                None,
                ["Kites"],
                ["lark.jpg", "lark2.jpg"],
                [({"Size": "S"}, 2_500, 4), ({"Size": "L"}, 3_050, None)],
            ),
            "p-2": ("Wren Kite", "draft", None, ["uncategorised"], [], [({}, 3_000, None)]),
        },
    ),
    "Squarespace": Sample(
        "Squarespace products",
        f"""\
Product ID [Non Editable],Variant ID [Non Editable],Product Type [Non Editable],Product Page,Product URL,Title,Description,SKU,Option Name 1,Option Value 1,Price,Sale Price,On Sale,Stock,Categories,Tags,Visible,Hosted Image URLs
sq1,v1,PHYSICAL,store,vole-sock,Vole Sock,<p>Wool</p>,VS-S,Size,S,12.00,0.00,No,9,/socks/warm-ones,winter,Yes,{IMG}vole.jpg {IMG}vole2.jpg
,v2,,,,,,VS-L,,L,13.00,10.00,Yes,Unlimited,,,,
sq2,v3,PHYSICAL,store,mole-sock,Mole Sock,,MS,,,14.00,0.00,No,1,,,No,
""",
        {
            "sq1": (
                "Vole Sock",
                "active",
                None,
                ["Socks", "Warm ones"],
                ["vole.jpg", "vole2.jpg"],
                [({"Size": "S"}, 1_200, 9), ({"Size": "L"}, 1_300, None)],
            ),
            "sq2": ("Mole Sock", "draft", None, ["uncategorised"], [], [({}, 1_400, 1)]),
        },
    ),
    "Google Merchant": Sample(
        "Google or Facebook feed",
        "id\ttitle\tdescription\tlink\timage_link\tadditional_image_link\tavailability\tprice\tsale_price"
        "\tbrand\tgtin\tcondition\titem_group_id\tcolor\tsize\tproduct_type"
        f"\nT-1\tSedge Tee\tSoft\thttps://x.example/1\t{IMG}s.jpg\t{IMG}s2.jpg,{IMG}s3.jpg\tin stock\t1,195.60 USD\t\tTarn\t\tnew\tT\tGreen\tS\tApparel > Tees\n"
        f"C-1\tSedge Cap\t\t\t{IMG}c.jpg\t\tout of stock\t20 EUR\t\t\t\tnew\t\t\t\t\n"
        f"T-2\tSedge Tee\tSoft\t\t{IMG}m.jpg\t\tout of stock\t20.00 USD\t15.00 USD\tTarn\t\tnew\tT\tGreen\tM\tApparel > Tees\n",
        {
            "T": (
                "Sedge Tee",
                "active",
                "Tarn",
                ["Apparel", "Tees"],
                ["s.jpg", "s2.jpg", "s3.jpg", "m.jpg"],
                [({"Size": "S"}, 119_560, None), ({"Size": "M"}, 2_000, None)],
            ),
            "C-1": ("Sedge Cap", "draft", None, ["uncategorised"], ["c.jpg"], [({}, 2_000, None)]),
        },
        name="feed.tsv",
    ),
    "Google Merchant as XML": Sample(
        "Google or Facebook feed",
        f"""\
<?xml version="1.0"?>
<rss version="2.0" xmlns:g="http://base.google.com/ns/1.0"><channel><title>Our shop</title>
<item><g:id>X1</g:id><g:title>Rush Mat &amp; Rug</g:title><g:price>30 USD</g:price>
  <g:availability>in stock</g:availability><g:image_link>{IMG}mat.jpg</g:image_link>
  <g:additional_image_link>{IMG}mat2.jpg</g:additional_image_link>
  <g:additional_image_link>{IMG}mat3.jpg</g:additional_image_link></item>
</channel></rss>
""",
        {
            "X1": (
                "Rush Mat & Rug",
                "active",
                None,
                ["uncategorised"],
                ["mat.jpg", "mat2.jpg", "mat3.jpg"],
                [({}, 3_000, None)],
            )
        },
        name="feed.xml",
    ),
    "Facebook catalogue": Sample(
        "Google or Facebook feed",
        f"""\
# Required | The rows below are products
id,title,description,availability,condition,price,link,image_link,brand,quantity_to_sell_on_facebook,status,fb_product_category
F1,Ivy Wreath,Fresh,in stock,new,18.00 USD,https://x.example,{IMG}ivy.jpg,Fernhill,6,active,Home > Decor
F2,Yew Wreath,Fresh,in stock,new,19.00 USD,https://x.example,{IMG}yew.jpg,Fernhill,2,archived,Home > Decor
""",
        {
            "F1": ("Ivy Wreath", "active", "Fernhill", ["Home", "Decor"], ["ivy.jpg"], [({}, 1_800, 6)]),
            "F2": ("Yew Wreath", "draft", "Fernhill", ["Home", "Decor"], ["yew.jpg"], [({}, 1_900, 2)]),
        },
    ),
    "schema.org": Sample(
        "schema.org products",
        json.dumps(
            [
                {
                    "@context": "https://schema.org",
                    "@type": "ProductGroup",
                    "productGroupID": "coat",
                    "name": "Larch Coat",
                    "brand": {"@type": "Brand", "name": "Tarn"},
                    "category": "Clothing > Coats",
                    "image": [f"{IMG}larch.jpg"],
                    "hasVariant": [
                        {
                            "@type": "Product",
                            "sku": f"LC-{size}",
                            "size": size,
                            "offers": {
                                "@type": "Offer",
                                "price": price,
                                "priceCurrency": "USD",
                                "availability": f"https://schema.org/{state}",
                                "inventoryLevel": {"@type": "QuantitativeValue", "value": 4},
                            },
                        }
                        for size, price, state in (("S", "80.50", "InStock"), ("L", 90, "OutOfStock"))
                    ],
                },
                {
                    "@type": "Product",
                    "sku": "BELT",
                    "name": "Larch Belt",
                    "offers": [{"price": 15, "priceCurrency": "EUR"}],
                },
            ],
            indent=1,
        ),
        {
            "coat": (
                "Larch Coat",
                "active",
                "Tarn",
                ["Clothing", "Coats"],
                ["larch.jpg"],
                [({"Size": "S"}, 8_050, 4), ({"Size": "L"}, 9_000, None)],
            ),
            "BELT": ("Larch Belt", "draft", None, ["uncategorised"], [], [({}, 1_500, None)]),
        },
        name="products.json",
    ),
    "Amazon flat file": Sample(
        "Amazon listings",
        f"""\
TemplateType=fptcustom\tVersion=2024.01\tThe top 3 rows are for Amazon.com use only.\t\t\t\t\t\t\t\t\t\t
Product Type\tSeller SKU\tProduct Name\tBrand Name\tProduct ID\tProduct ID Type\tPrice\tQuantity\tParentage\tParent SKU\tVariation Theme\tSize\tMain Image URL
feed_product_type\titem_sku\titem_name\tbrand_name\texternal_product_id\texternal_product_id_type\tstandard_price\tquantity\tparent_child\tparent_sku\tvariation_theme\tsize_name\tmain_image_url
shirt\tSHIRT\tLarch Shirt\tTarn\t\t\t\t\tParent\t\tSize\t\t{IMG}shirt.jpg
shirt\tSHIRT-S\tLarch Shirt S\tTarn\t4006381333931\tEAN\t19.99\t4\tChild\tSHIRT\tSize\tS\t{IMG}s.jpg
shirt\tSHIRT-M\tLarch Shirt M\tTarn\tB000000001\tASIN\t21\t0\tChild\tSHIRT\tSize\tM\t
mug\tMUG-1\tRiver Mug\tFern\t\t\t8.50\t12\t\t\t\t\t{IMG}mug.jpg
""",
        {
            "SHIRT": (
                "Larch Shirt",
                "active",
                "Tarn",
                ["shirt"],
                ["shirt.jpg", "s.jpg"],
                [({"Size": "S"}, 1_999, 4), ({"Size": "M"}, 2_100, None)],
            ),
            "MUG-1": ("River Mug", "active", "Fern", ["mug"], ["mug.jpg"], [({}, 850, 12)]),
        },
        name="flat.txt",
    ),
    "Amazon listings report": Sample(
        "Amazon listings",
        """\
item-name\titem-description\tlisting-id\tseller-sku\tprice\tquantity\topen-date\timage-url\tasin1\tproduct-id\tproduct-id-type\tstatus
River Mug\tHolds tea\t0101\tMUG-1\t8.50\t12\t2024-01-01\t\tB000000001\tB000000001\t1\tActive
Old Mug\t\t0102\tMUG-2\t7\t0\t2024-01-01\t\tB000000002\tB000000002\t1\tInactive
""",
        {
            "MUG-1": ("River Mug", "active", None, ["uncategorised"], [], [({}, 850, 12)]),
            "MUG-2": ("Old Mug", "draft", None, ["uncategorised"], [], [({}, 700, None)]),
        },
        name="report.txt",
    ),
    "BigCommerce 3, its options written right behind each other": Sample(
        "BigCommerce products",
        f"""\
Item,ID,Name,Type,SKU,Options,Inventory Tracking,Current Stock,Price,Categories,Description,Is Visible,Internal Image URL (Export)
Product,9,Fern Towel,physical,FT,,variant,0,49.00,Bath,,TRUE,
Variant,1,,,FT-XS,Type=Rectangle|Name=Size|Value=XSType=Swatch|Name=Colour|Value=Moss[#cccccc],,3,,,,,
Variant,2,,,FT-S,Type=Rectangle|Name=Size|Value=SType=Swatch|Name=Colour|Value=Two Tone[#ccc|#e60c0c],,-2,51.00,,,,
Image,3,,,,,,,,,,,{IMG}towel.jpg
""",
        {
            "9": (
                "Fern Towel",
                "active",
                None,
                ["Bath"],
                ["towel.jpg"],
                [
                    ({"Size": "XS", "Colour": "Moss"}, 4_900, 3),
                    ({"Size": "S", "Colour": "Two Tone"}, 5_100, None),
                ],
            ),
        },
    ),
    "Wix, newer, its pictures in rows of their own": Sample(
        "Wix products",
        f"""\
handle,fieldType,name,visible,plainDescription,media,mediaAltText,brand,price,strikethroughPrice,inventory,sku,barcode,productOptionName1,productOptionType1,productOptionChoices1
Product_1,PRODUCT,Tarn Tote,TRUE,<p>Big</p>,,,Tarn,,,,,,Colour,SWATCH_CHOICES,#800080:Plum;#FFFFFF:Snow
Product_1,VARIANT,,TRUE,,,,,20,25,IN_STOCK,TT-S,,Colour,SWATCH_CHOICES,Snow
Product_1,VARIANT,,TRUE,,,,,20,,12,TT-P,,Colour,SWATCH_CHOICES,Plum
Product_1,MEDIA,,,,{IMG}plum.jpg,A plum tote,,,,,,,,,
Product_1,MEDIA,,,,snow~mv2.jpg,,,,,,,,,,
""",
        {
            "Product_1": (
                "Tarn Tote",
                "active",
                "Tarn",
                ["uncategorised"],
                ["plum.jpg", "https://static.wixstatic.com/media/snow~mv2.jpg"],
                [({"Colour": "Snow"}, 2_000, None), ({"Colour": "Plum"}, 2_000, 12)],
            ),
        },
    ),
    "Wix, older, its variants cheaper by a surcharge below zero": Sample(
        "Wix products",
        """\
handleId,fieldType,name,collection,sku,price,surcharge,visible,inventory,productOptionName1,productOptionType1,productOptionDescription1
p-1,Product,Moss Print,Prints,,10.00,,true,,Size,DROP_DOWN,S;L
p-1,Variant,,,MP-S,,-1.38,true,2,,,S
p-1,Variant,,,MP-L,,5.00,true,1,,,L
""",
        {
            "p-1": (
                "Moss Print",
                "active",
                None,
                ["Prints"],
                [],
                [({"Size": "S"}, 862, 2), ({"Size": "L"}, 1_500, 1)],
            ),
        },
    ),
    "Magento 2, where all that is chosen from is disabled": Sample(
        "Magento products",
        """\
sku,attribute_set_code,product_type,name,price,qty,product_online,visibility,configurable_variations
FC-S,Default,simple,Fern Coat S,68,4,2,Not Visible Individually,
FC-M,Default,simple,Fern Coat M,68,5,2,Not Visible Individually,
FC,Default,configurable,Fern Coat,68,0,1,"Catalog, Search","sku=FC-S,size=S,default=1|sku=FC-M,size=M"
""",
        {
            "FC": (
                "Fern Coat",
                "draft",
                None,
                ["uncategorised"],
                [],
                [({"Size": "S"}, 6_800, 4), ({"Size": "M"}, 6_800, 5)],
            )
        },
    ),
    "WooCommerce, where all that is chosen from is private": Sample(
        "WooCommerce products",
        """\
ID,Type,SKU,Name,Published,Visibility in catalog,In stock?,Stock,Weight (lbs),Regular price,Categories,Parent,Attribute 1 name,Attribute 1 value(s)
5,variable,FH,Fern Hood,1,visible,1,,.8,,Hoods,,Size,"S, M"
6,variation,FH-S,Fern Hood - S,0,visible,1,3,.8,.99,,FH,Size,S
7,variation,FH-M,Fern Hood - M,0,visible,1,4,.8,.99,,FH,Size,M
""",
        {"FH": ("Fern Hood", "draft", None, ["Hoods"], [], [({"Size": "S"}, 99, 3), ({"Size": "M"}, 99, 4)])},
    ),
    "Open Food Facts, told in the language of each": Sample(
        "Open Food Facts",
        """\
code\tlc\tproduct_name_de\tproduct_name_fr\tgeneric_name_fr\tquantity\tbrands\tcategories
4006381333931\tfr\tTarn Pilze\tChampignons de Tarn\tChampignons\t200 g\tFern\tLégumes
""",
        {
            "4006381333931": (
                "Champignons de Tarn",
                "draft",
                "Fern",
                ["Légumes"],
                [],
                [({}, 0, None)],
            ),
        },
        name="food.tsv",
    ),
    "Best Buy, as an index of a search engine has it": Sample(
        "Best Buy products",
        json.dumps(
            [
                {
                    "objectID": "9131042",
                    "name": "Fern Stick",
                    "brand": "Fern",
                    "categories": ["Home Cinema", "Players"],
                    "price": 39.99,
                    "image": f"{IMG}stick.jpg",
                    "popularity": 7,
                },
                {
                    "objectID": "9131043",
                    "name": "Fern Remote",
                    "brand": "Fern",
                    "categories": ["Home Cinema"],
                    "price": 9.99,
                    "popularity": 0.25,
                },
            ]
        ),
        {
            "9131042": (
                "Fern Stick",
                "active",
                "Fern",
                ["Home Cinema", "Players"],
                ["stick.jpg"],
                [({}, 3_999, None)],
            ),
            "9131043": ("Fern Remote", "active", "Fern", ["Home Cinema"], [], [({}, 999, None)]),
        },
        name="products.json",
    ),
    "Open Food Facts": Sample(
        "Open Food Facts",
        f"""\
code\turl\tproduct_name\tgeneric_name\tquantity\tbrands\tcategories\tingredients_text\tnutriscore_grade\timage_url
4006381333931\thttps://x.example\tHazel Spread\tSweet\t400 g\tFern,Tarn\tSpreads, Sweet spreads, Hazelnut spreads\tSugar, hazelnuts\te\t{IMG}hazel.jpg
12\t\t\t\t\t\t\t\t\t
""",
        {
            "4006381333931": (
                "Hazel Spread",
                "draft",
                "Fern",
                ["Spreads", "Hazelnut spreads"],
                ["hazel.jpg"],
                [({}, 0, None)],
            ),
        },
        left_out=1,
        name="food.tsv",
    ),
    "Best Buy": Sample(
        "Best Buy products",
        json.dumps(
            [
                {
                    "sku": 43900,
                    "name": "Fern Battery",
                    "type": "HardGood",
                    "price": 5.49,
                    "upc": "041333424019",
                    "category": [{"id": "pcmcat1", "name": "Power"}, {"id": "pcmcat2", "name": "Batteries"}],
                    "shipping": 5.49,
                    "description": "Long lasting",
                    "manufacturer": "Fern",
                    "model": "MN2400B4Z",
                    "image": f"{IMG}battery.jpg",
                },
                {
                    "sku": 43901,
                    "name": "Old Radio",
                    "regularPrice": 30,
                    "salePrice": 25.5,
                    "active": False,
                    "category": [],
                    "manufacturer": "Tarn",
                    "upc": "",
                },
            ],
            indent=1,
        ),
        {
            "43900": (
                "Fern Battery",
                "active",
                "Fern",
                ["Power", "Batteries"],
                ["battery.jpg"],
                [({}, 549, None)],
            ),
            "43901": ("Old Radio", "draft", "Tarn", ["uncategorised"], [], [({}, 2_550, None)]),
        },
        name="products.json",
    ),
    "Yandex Market": Sample(
        "Yandex Market YML",
        f"""\
<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE yml_catalog SYSTEM "shops.dtd">
<yml_catalog date="2026-11-01 10:00"><shop><name>Ель</name><currencies><currency id="RUR" rate="1"/></currencies>
<categories><category id="1">Одежда</category><category id="2" parentId="1">Варежки</category><category id="8" parentId="9">Ж</category><category id="9" parentId="8">Б</category></categories>
<offers>
<offer id="w-1" available="true" group_id="w"><url>https://el.example/varezhki?size=1&amp;x=2</url><price>12,50</price><oldprice>15</oldprice>
<currencyId>USD</currencyId><categoryId>2</categoryId><picture>{IMG}w1.jpg</picture><picture>{IMG}w1,b.jpg</picture><name>Варежки&nbsp;«Ель»</name>
<vendor>Ель</vendor><description><![CDATA[<p>Тёплые &amp; мягкие</p>]]></description><param name="Размер" unit="RU">1</param><param name="Цвет">синий</param>
<param name="Цвет">белый</param><barcode>4006381333931</barcode><weight>0.2</weight><count>3</count></offer>
<offer id="w-2" available="false" group_id="w"><price>13</price><currencyId>USD</currencyId><categoryId>2</categoryId><picture>{IMG}w2.jpg</picture>
<name>Варежки «Ель»</name><param name="Размер" unit="RU">2</param><param name="Цвет">синий</param><param name="Цвет">белый</param></offer>
<offer id="m-1" type="vendor.model" available="true"><price>40</price><currencyId>RUR</currencyId><categoryId>8</categoryId>
<typePrefix>Чайник</typePrefix><vendor>Тёрн</vendor><model>Ж-5</model><description><p>Есть <b>крышка</b></p></description>
<outlets><outlet id="1" instock="4"/><outlet id="2" instock="5"/></outlets></offer>
<offer id="m-2" disabled="true"><price>7</price><categoryId>77</categoryId><name>Ложка</name></offer>
<offer id="m-3"><price>7</price><categoryId>1</categoryId></offer>
</offers></shop></yml_catalog>
""",
        {
            "w": (
                "Варежки «Ель»",
                "active",
                "Ель",
                ["Одежда", "Варежки"],
                ["w1.jpg", "w1,b.jpg", "w2.jpg"],
                [({"Размер (RU)": "1"}, 1_250, 3), ({"Размер (RU)": "2"}, 1_300, None)],
            ),
            "m-1": ("Чайник Тёрн Ж-5", "draft", "Тёрн", ["Б", "Ж"], [], [({}, 4_000, 9)]),
            "m-2": ("Ложка", "draft", None, ["uncategorised"], [], [({}, 700, None)]),
        },
        left_out=1,
        name="catalogue.xml",
    ),
    "OpenMage": Sample(
        "OpenMage products",
        f"""\
sku,_store,_attribute_set,_type,_category,_root_category,name,description,price,special_price,status,visibility,qty,is_in_stock,image,manufacturer,url_key,_media_image,_super_products_sku,_super_attribute_code,_super_attribute_option
JAR-S,,Default,simple,,,Jar S,,9.5000,,1,1,7.0000,1,,,,,,,
JAR-L,,Default,simple,,,Jar L,,14.0000,,1,1,3.0000,0,,,,,,,
JAR,,Default,configurable,Kitchen/Jars,Default,Jar,<b>Clear</b>,9.5,,1,4,0,1,{IMG}jar.jpg,Ode,jar,{IMG}jar.jpg,JAR-S,size,S
,,,,Kitchen,Default,,,,,,,,,,,,{IMG}jar2.jpg,JAR-L,size,L
,de,,,,,Glas,,,,,,,,,,,,,,
PAN,,Default,simple,Kitchen,Default,Pan,,20,15.5,2,4,5,1,,,pan,,,,
""",
        {
            "JAR": (
                "Jar",
                "active",
                "Ode",
                ["Kitchen", "Jars"],
                ["jar.jpg", "jar2.jpg"],
                [({"Size": "S"}, 950, 7), ({"Size": "L"}, 1_400, None)],
            ),
            "PAN": ("Pan", "draft", None, ["Kitchen"], [], [({}, 2_000, 5)]),
        },
    ),
}


ODD = (
    *(
        "",
        " ",
        "\x00",
        "\x1f",
        "-1",
        "1e3",
        "NaN",
        "x" * 30_000,
        "é" * 300,
        "<p>" * 3_000,
        "a|b|c=d,e=f",
        "sku=|",
    ),
    *(
        "https://" + "y" * 3_000,
        "Name=|Value=",
        "&#0;&#1114112;",
        ">" * 50,
        "\\",
        "½",
        "\u202e",
        "no",
        "hidden",
    ),
)


@pytest.mark.parametrize("kind", SAMPLES)
def test_whatever_an_export_holds_its_products_are_within_the_limits(kind):
    """Of every bent row comes a product that the catalogue takes, or a reason."""
    sample, chance = SAMPLES[kind], random.Random(kind)
    given = [row for _, row in read_rows(io.BufferedReader(io.BytesIO(sample.content.encode())))]
    rows = [
        {column_name(name): value for name, value in row.items()} for row in given if isinstance(row, dict)
    ]
    kind_of_file = recognise(rows)
    taken = 0
    for _ in range(400):
        bent = [dict(row) for row in rows]
        for _ in range(chance.choice((1, 1, 2, 5))):
            row = chance.choice(bent)
            row[chance.choice(list(row))] = chance.choice(ODD)
        columns = [Columns(row, n) for n, row in enumerate(bent)]
        for first in columns if kind_of_file.keys is None else columns[:1]:
            first.rows = columns if kind_of_file.keys else [first]
            if kind_of_file.keys:
                [kind_of_file.keys(each.raw) for each in columns]
            with suppress(BadField):
                product = kind_of_file.read(first)
                assert codec.decode(codec.encode(product), ImportRow) == product
                taken += 1
    assert taken > 100


@pytest.mark.parametrize("kind", SAMPLES)
async def test_the_exact_shop_comes_of_an_export(settings, db, tmp_path, kind):
    """And of the same file again, nothing changes."""
    sample = SAMPLES[kind]
    file = tmp_path / sample.name
    file.write_text(sample.content)
    notes: list[Any] = []
    async with AsyncExitStack() as stack:
        shop = await build_shop(settings, stack)
        options: dict[str, Any] = {"note": notes.append, "progress": lambda far: None}
        how = ImportOptions(seller="A")
        [planned] = await import_files(shop, [file], how._replace(dry_run=True), **options)
        assert not await db.fetchval("select count(*) from catalog.product")
        notes.clear()
        [done] = await import_files(shop, [file], how, **options)
        said = [(note.line, note.field, note.reason) for note in notes]
        assert (done.unusable, done.format, done.left_out) == ("", sample.format, sample.left_out), said
        assert (
            (planned.added, planned.left_out)
            == (done.added, done.left_out)
            == (
                len(sample.wanted),
                sample.left_out,
            )
        )
        assert await standing(db) == sample.wanted, said
        [again] = await import_files(shop, [file], how, **options)
        assert again.unchanged == done.added


async def test_wix_says_what_each_picture_shows(settings, db, tmp_path):
    file = tmp_path / "products.csv"
    file.write_text(SAMPLES["Wix, newer, its pictures in rows of their own"].content)
    async with AsyncExitStack() as stack:
        shop = await build_shop(settings, stack)
        await import_files(
            shop, [file], ImportOptions(seller="A"), note=lambda note: None, progress=lambda far: None
        )
    [images] = await db.fetch("select images::text from catalog.product")
    assert [each["alt"] for each in json.loads(images[0])] == ["A plum tote", "Tarn Tote"]


async def standing(db):
    """What stands in the shop, product by product."""
    found = await db.fetch(
        """
        select p.external_id, p.title, p.description, p.brand, c.names as category, p.images::text,
            k.options::text, o.price, o.status, s.on_hand
        from catalog.product p join catalog.category c using (category_id)
        join catalog.sku k using (product_id) join catalog.offer o using (sku_id)
        left join inventory.stock s using (offer_id) order by p.external_id, k.place
        """
    )
    shop: dict[str, tuple[Any, ...]] = {}
    for row in found:
        images = [each["url"].removeprefix(IMG) for each in json.loads(row["images"])]
        images = [each for each in images if not each.startswith("/media/art/")]
        category = ["uncategorised"] if row["category"] in ([], ["Uncategorised"]) else row["category"]
        first = (row["title"], row["status"], row["brand"], category, images, [])
        assert "<" not in row["description"]
        shop.setdefault(row["external_id"], first)[-1].append(
            (json.loads(row["options"]), row["price"], row["on_hand"])
        )
    return shop
