-- Change: what 0.1.0 creates.
-- Previous release: made the same; a shop of 0.1.0 has it already, and this is recorded there as applied.

create schema catalog;

-- The tree; a category's path holds its own slug last.
create table catalog.category (
    category_id bigint primary key,
    slug        text   not null unique,
    name        text   not null,
    parent_id   bigint references catalog.category,
    slugs       text[] not null,
    names       text[] not null
);
create unique index category_names on catalog.category (names);
insert into catalog.category (category_id, slug, name, slugs, names)
values (0, 'uncategorised', 'Uncategorised', '{uncategorised}', '{Uncategorised}');

create table catalog.product (
    product_id     bigint      primary key,
    seller_id      bigint      not null,
    external_id    text,
    title          text        not null,
    description    text        not null default '',
    category_id    bigint      not null references catalog.category,
    brand          text,
    attributes     jsonb       not null default '{}',
    options        jsonb       not null default '{}',
    tags           text[]      not null default '{}',
    images         jsonb       not null default '[]',
    rating         float8      not null default 0,
    review_count   integer     not null default 0,
    histogram      integer[]   not null default '{0,0,0,0,0}',
    rating_version integer     not null default 0,
    popularity     integer     not null default 0,
    content        bytea,
    version        integer     not null default 0,
    created_at     timestamptz not null
);
create unique index product_external on catalog.product (seller_id, external_id);

create table catalog.sku (
    sku_id     bigint primary key,
    product_id bigint not null references catalog.product,
    key        text   not null default '',
    options    jsonb  not null default '{}',
    place      integer not null default 0,  -- among its product's
    unique (product_id, key)
);

create table catalog.offer (
    offer_id      bigint  primary key,
    sku_id        bigint  not null references catalog.sku,
    product_id    bigint  not null references catalog.product,
    seller_id     bigint  not null,
    seller_name   text    not null,
    price         bigint  not null check (price >= 0),
    currency      text    not null,
    status        text    not null check (status in ('active', 'paused', 'draft')),
    in_stock      boolean not null default false,
    stock_version integer not null default 0,
    by_hand       boolean not null default false,  -- its seller has changed the price or status
    unique (sku_id, seller_id),
    constraint active_has_a_price check (status <> 'active' or price > 0)
);
create index offer_product on catalog.offer (product_id);
create index offer_seller on catalog.offer (seller_id, offer_id);

-- The offer a product shows; nothing where none is active.
create function catalog.featured(product bigint) returns catalog.offer
    language sql stable as $$
    select o.* from catalog.offer o where o.product_id = product and o.status = 'active'
    order by o.in_stock desc, o.price, o.offer_id limit 1
$$;

-- A product as the fact of its change carries it; null where nothing of it is for sale.
create function catalog.document(p catalog.product) returns jsonb
    language sql stable as $$
    select jsonb_build_object(
        'product_id', p.product_id, 'offer_id', o.offer_id, 'seller_id', o.seller_id, 'seller_name', o.seller_name,
        'title', p.title, 'description', p.description, 'price', o.price, 'currency', o.currency,
        'created_at', p.created_at, 'external_id', p.external_id, 'brand', p.brand,
        'category', c.slug, 'categories', c.slugs, 'category_names', c.names, 'tags', p.tags,
        'attributes', p.attributes, 'options', p.options, 'rating', p.rating, 'review_count', p.review_count,
        'image_url', coalesce(p.images -> 0 ->> 'url', ''), 'in_stock', o.in_stock, 'popularity', p.popularity)
    from catalog.featured(p.product_id) o, catalog.category c
    where o.offer_id is not null and c.category_id = p.category_id
$$;
