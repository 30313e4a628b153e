-- Change: variants are found by their GTIN, with leading zeros and without.
-- Previous release: does not mind.
-- not in a transaction

create index concurrently sku_gtin on catalog.sku (ltrim(gtin, '0')) where gtin is not null;
