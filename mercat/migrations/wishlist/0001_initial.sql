create schema if not exists wishlist;

-- How many things a person keeps; its check is the limit.
create table if not exists wishlist.list (
    user_id  bigint  primary key,
    items    integer not null check (items between 0 and 1000)
);

create table if not exists wishlist.item (
    user_id     bigint      not null,
    product_id  bigint      not null,
    added_at    timestamptz not null,
    primary key (user_id, product_id)
);
