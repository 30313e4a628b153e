from mercat.kit.rpc import Route
from mercat.sellers.file_imports import FileImports
from mercat.sellers.service import Sellers

API = [
    Route("POST", "/sellers/{seller_id}/products", Sellers.list_product),
    Route("GET", "/sellers/{seller_id}/products/{product_id}", Sellers.listing),
    Route("PATCH", "/sellers/{seller_id}/products/{product_id}", Sellers.change_product),
    Route("POST", "/sellers/{seller_id}/offers", Sellers.offer_product),
    Route("POST", "/sellers/{seller_id}/imports", Sellers.list_many),
    Route("POST", "/sellers/{seller_id}/files", FileImports.start_import),
    Route("GET", "/sellers/{seller_id}/files", FileImports.file_imports),
    Route("GET", "/sellers/{seller_id}/files/{import_id}", FileImports.file_import),
    Route("POST", "/people/{user_id}", Sellers.register),
    Route("POST", "/by-name", Sellers.by_name),
    Route("GET", "/people/{user_id}", Sellers.of_user),
    Route("GET", "/sellers/{seller_id}", Sellers.seller),
    Route("POST", "/names", Sellers.names),
    Route("GET", "/sellers", Sellers.sellers),
    Route("PUT", "/own", Sellers.own),
    Route("POST", "/sellers/{seller_id}/approved", Sellers.approve),
    Route("POST", "/sellers/{seller_id}/suspended", Sellers.suspend),
    Route("PUT", "/sellers/{seller_id}/person/{user_id}", Sellers.assign),
]
