-- Change: people keep several wishlists, and show one to whom they give its link.
-- Previous release: knows the first list alone, which stays where it is.

-- The first list of a person is `wishlist.list`, and its id is the person's number.
create table wishlist.named (
    wishlist_id bigint      primary key,
    user_id     bigint      not null,
    slot        smallint    not null check (slot between 1 and 19),
    name        text        not null check (length(name) between 1 and 100),
    items       integer     not null default 0 check (items between 0 and 1000),
    made_at     timestamptz not null,
    unique (user_id, slot)
);

create table wishlist.named_item (
    wishlist_id bigint      not null references wishlist.named on delete cascade,
    product_id  bigint      not null,
    added_at    timestamptz not null,
    primary key (wishlist_id, product_id)
);
