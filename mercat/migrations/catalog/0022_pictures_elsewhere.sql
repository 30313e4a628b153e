-- Change: pictures that imports bring are fetched into the shop.
-- Previous release: brings pictures without noting them; they stay where they are.

create table catalog.picture_elsewhere (
    product_id bigint      not null references catalog.product,
    url        text        not null,
    tries      integer     not null default 0,
    due_at     timestamptz not null default now(),
    failure    text        not null default ''  -- why the last try came to nothing
);
create unique index picture_elsewhere_once on catalog.picture_elsewhere (product_id, md5(url));
create index picture_elsewhere_due on catalog.picture_elsewhere (due_at) where tries < 6;
