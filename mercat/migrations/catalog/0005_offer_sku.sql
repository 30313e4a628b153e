-- Change: a seller's SKU names one of their offers; one that is archived gives it free.
-- Previous release: writes no SKU.
-- not in a transaction

create unique index concurrently offer_sku on catalog.offer (seller_id, sku) where status <> 'archived';
