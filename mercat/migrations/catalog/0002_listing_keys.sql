-- Change: a table of the keys that callers give their listings, so that the same again lists nothing new.
-- Previous release: knows nothing of this table and reads no other shape; its listings have no key.

-- `content`: a hash of what was listed with the key.
create table catalog.listing_key (
    seller_id  bigint      not null,
    key        text        not null,
    content    bytea       not null,
    product_id bigint      not null,
    sku_id     bigint      not null,
    offer_id   bigint      not null,
    at         timestamptz not null default now(),
    primary key (seller_id, key)
);
