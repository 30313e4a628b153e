-- Change: what products on lists cost and whether they are there, so that a change is noticed; who wants to hear of it.
-- Previous release: puts products on lists that are watched once somebody puts them there again; names its columns.

-- `stood_price`: what it cost when it last stood still for a day. `cheaper_at`, `back_at`: when that was told.
create table wishlist.watched (
    product_id  bigint      primary key,
    version     bigint      not null default 0,
    price       bigint,
    stood_price bigint,
    priced_at   timestamptz not null default '-infinity',
    in_stock    boolean     not null default true,
    cheaper_at  timestamptz not null default '-infinity',
    back_at     timestamptz not null default '-infinity'
);
insert into wishlist.watched (product_id)
select product_id from wishlist.item union select product_id from wishlist.named_item;

alter table wishlist.list add column alerts boolean not null default true;
alter table wishlist.named add column alerts boolean not null default true;
