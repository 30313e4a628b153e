-- Change: an offer may be bought in certain quantities only.
-- Previous release: names its columns; it sells any quantity.

alter table catalog.offer add column quantity_rules jsonb check (jsonb_typeof(quantity_rules) = 'object');
