-- Change: what 0.1.0 creates.
-- Previous release: made the same; a shop of 0.1.0 has it already, and this is recorded there as applied.

create schema wishlist;

-- How many things a person keeps; its check is the limit.
create table wishlist.list (
    user_id  bigint  primary key,
    items    integer not null check (items between 0 and 1000)
);

create table wishlist.item (
    user_id     bigint      not null,
    product_id  bigint      not null,
    added_at    timestamptz not null,
    primary key (user_id, product_id)
);
