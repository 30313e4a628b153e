-- Change: zones and rates of delivery, and how long a seller packs, as data: of the shop (seller 0) and of each seller.
-- Previous release: does not know this table; it goes on with its built-in rates.

create table fulfilment.delivery_profile (
    seller_id  bigint      primary key,
    profile    jsonb       not null check (jsonb_typeof(profile -> 'zones') = 'array'),
    changed_at timestamptz not null
);
