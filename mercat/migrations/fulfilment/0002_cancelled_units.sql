-- Change: a seller's order says how many units of its lines were cancelled, by line.
-- Previous release: names its columns; it shows cancelled units as still to be packed, and orders refuse to ship them.

alter table fulfilment.seller_order add column cancelled jsonb not null default '{}';
