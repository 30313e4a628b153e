from mercat.kit.verbs import Verb
from mercat.sellers.file_imports import FileImports
from mercat.sellers.service import Sellers

API = [
    Verb(Sellers.list_product),
    Verb(Sellers.listing, reads=True),
    Verb(Sellers.change_product),
    Verb(Sellers.offer_product),
    Verb(Sellers.list_many),
    Verb(FileImports.start_import),
    Verb(FileImports.start_price_edit),
    Verb(FileImports.file_imports, reads=True),
    Verb(FileImports.file_import, reads=True),
    Verb(FileImports.undo_import),
    Verb(FileImports.put_back),
    Verb(FileImports.forget_old_imports),
    Verb(Sellers.register),
    Verb(Sellers.by_name),
    Verb(Sellers.named, reads=True),
    Verb(Sellers.of_user, reads=True),
    Verb(Sellers.seller, reads=True),
    Verb(Sellers.names, reads=True),
    Verb(Sellers.sellers, reads=True),
    Verb(Sellers.own),
    Verb(Sellers.approve),
    Verb(Sellers.suspend),
    Verb(Sellers.assign),
]
