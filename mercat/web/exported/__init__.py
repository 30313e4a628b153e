"""Files that a shop is taken out with: goods, stock, orders and people, as streams of bytes.

files.py     CSV and JSON lines, written piece by piece; which files there are
products.py  products in our own table and JSON lines, as an import takes them in again
shopify.py   products as Shopify's product CSV
orders.py    orders, a row a line of one; a seller's and everybody's
people.py    people with their addresses
stock.py     what lies on the shelves
"""

from mercat.web.exported.files import FILES, ExportFile, NoSuchExport, export_of

__all__ = ["FILES", "ExportFile", "NoSuchExport", "export_of"]
