"""Which elements of an XML file are products: items of RSS and Atom, offers of Yandex Market (YML)."""

from typing import Any
from xml.etree.ElementTree import Element, tostring


class FeedItems:
    """Items and entries of RSS and Atom. What comes again in one is a list with commas."""

    products = frozenset(("item", "entry"))

    def learn(self, element: Element) -> None:
        """Keep what an element beside the products says of them: nothing."""

    def fields(self, item: Element) -> dict[str, Any]:
        """Read a product: each of its elements by name."""
        fields: dict[str, Any] = {}
        for part in item:
            _put(fields, local_name(part), (part.text or "").strip())
        return fields


class CatalogueOffers:
    """Offers of a `yml_catalog`: their attributes and elements by name, `picture` and `param` as lists.

    `category_path` are the names from the root that the file's tree has for their `categoryId`."""

    products = frozenset(("offer",))

    def __init__(self) -> None:
        self._categories: dict[str, tuple[str, str]] = {}
        """By id: its name, and the id of what is above it."""

    def learn(self, element: Element) -> None:
        """Keep a category of the file's tree."""
        if local_name(element) == "category" and (own := element.get("id", "").strip()):
            name = " ".join((element.text or "").split())
            self._categories[own] = name, (element.get("parentId") or "").strip()

    def fields(self, item: Element) -> dict[str, Any]:
        """Read an offer."""
        fields: dict[str, Any] = dict(item.attrib)
        pictures, params = list[str](), list[dict[str, str]]()
        for part in item:
            name, text = local_name(part), (part.text or "").strip()
            if name == "picture":
                pictures.append(text)
            elif name == "param":
                unit = part.get("unit", "").strip()
                params.append({"name": part.get("name", "").strip(), "unit": unit, "value": text})
            elif name == "description":
                _put(fields, name, text + "".join(tostring(inner, "unicode") for inner in part))
            elif name == "outlets":
                fields["instock"] = str(sum(_units(outlet.get("instock")) for outlet in part))
            elif name == "categoryId":
                fields.setdefault(name, text)
            else:
                _put(fields, name, text or part.get("type", ""))
        path = self._path(fields.setdefault("categoryId", ""))
        return fields | {"picture": pictures, "param": params, "category_path": path}

    def _path(self, own: str) -> list[str]:
        """Name a category from the root. A file may say that one is above itself."""
        found: dict[str, str] = {}
        while own in self._categories and own not in found:
            name, above = self._categories[own]
            found[own], own = name, above
        return [name for name in reversed(found.values()) if name]


def feed_of(root: Element) -> FeedItems | CatalogueOffers:
    """Say what a file holds by its outermost element."""
    return CatalogueOffers() if local_name(root) == "yml_catalog" else FeedItems()


def local_name(element: Element) -> str:
    """Answer an element's name without its namespace."""
    return element.tag.rpartition("}")[2]


def _put(fields: dict[str, Any], name: str, text: str) -> None:
    fields[name] = f"{fields[name]},{text}" if fields.get(name) else text


def _units(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() else 0
