-- Change: categories can be renamed, moved and merged. Old slugs lead on, old paths still find their category in
--   files, names that sellers' files bring wait for an operator, and products whose category or seller changed are
--   told again in batches.
-- Previous release: goes on: it leaves `key` empty, and reads none of the new tables.

-- `key`: the path as names are compared: NFKC, case folded. Where two were told apart by case only, one has none.
alter table catalog.category add column key text;
update catalog.category c set key = k.key
from (
    select distinct on (key) category_id, key
    from (
        select category_id, casefold(normalize(array_to_string(names, E'\x1f'), nfkc) collate pg_unicode_fast) as key
        from catalog.category
    ) as all_keys
    order by key, category_id
) as k
where k.category_id = c.category_id;
create unique index category_key on catalog.category (key);
create index product_category on catalog.product (category_id, product_id);

create table catalog.category_redirect (
    slug        text   primary key,
    category_id bigint not null references catalog.category on delete cascade
);

-- Which category a path in a file means, beside its own.
create table catalog.category_alias (
    key         text   primary key,
    category_id bigint not null references catalog.category on delete cascade
);

-- Paths that sellers' files bring and the shop does not have. One that is refused is not asked again.
create table catalog.category_asked (
    key       text        primary key,
    names     text[]      not null,
    seller_id bigint      not null,
    times     integer     not null default 1,
    refused   boolean     not null default false,
    first_at  timestamptz not null default now(),
    last_at   timestamptz not null default now()
);

-- All products of a category or a seller (`kind`), to be told again; those up to `after` were.
create table catalog.retelling (
    kind  text   not null check (kind in ('category', 'seller')),
    id    bigint not null,
    after bigint not null default 0,
    primary key (kind, id)
);

-- Files name variants by their SKUs.
create index sku_key on catalog.sku (key) where key <> '';
