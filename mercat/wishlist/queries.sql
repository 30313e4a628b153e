-- name: items(user_id)
select product_id, added_at from wishlist.item where user_id = :user_id order by added_at desc, product_id desc;

-- name: put(user_id, product_id, now)
with put as (
    insert into wishlist.item (user_id, product_id, added_at) values (:user_id, :product_id, :now)
    on conflict do nothing
    returning user_id
)
insert into wishlist.list as l (user_id, items) select user_id, 1 from put
on conflict (user_id) do update set items = l.items + 1;

-- name: drop(user_id, product_id)
with dropped as (
    delete from wishlist.item where user_id = :user_id and product_id = :product_id returning user_id
)
update wishlist.list l set items = l.items - 1 from dropped where l.user_id = dropped.user_id;

-- name: lock_list(user_id)
insert into wishlist.list (user_id, items) values (:user_id, 0)
on conflict (user_id) do update set items = wishlist.list.items;

-- name: adopt(guest_id, user_id)
-- The newest come along while there is room; the list's row is locked.
with gone as (
    delete from wishlist.item where user_id = :guest_id returning product_id, added_at
), emptied as (
    delete from wishlist.list where user_id = :guest_id
), moved as (
    insert into wishlist.item (user_id, product_id, added_at)
    select :user_id, product_id, added_at from gone
    where not exists (
        select from wishlist.item kept where kept.user_id = :user_id and kept.product_id = gone.product_id)
    order by added_at desc
    limit (select 1000 - items from wishlist.list where user_id = :user_id)
    on conflict do nothing
    returning product_id
)
update wishlist.list set items = items + (select count(*) from moved) where user_id = :user_id;

-- name: forget_people(user_ids)
with items as (
    delete from wishlist.item where user_id = any (:user_ids::bigint[])
)
delete from wishlist.list where user_id = any (:user_ids);

-- name: lists(user_id)
select wishlist_id, name, items from wishlist.named where user_id = :user_id order by wishlist_id;

-- name: items_of_first(user_id)
select items from wishlist.list where user_id = :user_id;

-- name: add(wishlist_id, user_id, name, now)
-- In the lowest slot that is free; none is a row that is not made.
insert into wishlist.named (wishlist_id, user_id, slot, name, made_at)
select :wishlist_id, :user_id, min(slot), :name, :now
from generate_series(1, 19) slot
where not exists (select from wishlist.named n where n.user_id = :user_id and n.slot = slot.slot)
having min(slot) is not null
returning wishlist_id;

-- name: rename(user_id, wishlist_id, name)
update wishlist.named set name = :name where user_id = :user_id and wishlist_id = :wishlist_id
returning wishlist_id, name, items;

-- name: remove(user_id, wishlist_id)
delete from wishlist.named where user_id = :user_id and wishlist_id = :wishlist_id returning wishlist_id;

-- name: named(wishlist_id)
select wishlist_id, name, items from wishlist.named where wishlist_id = :wishlist_id;

-- name: owned(user_id, wishlist_id)
select wishlist_id, name, items from wishlist.named where user_id = :user_id and wishlist_id = :wishlist_id;

-- name: named_items(wishlist_id)
select product_id, added_at from wishlist.named_item where wishlist_id = :wishlist_id
order by added_at desc, product_id desc;

-- name: put_into(user_id, wishlist_id, product_id, now)
with list as (
    select wishlist_id from wishlist.named where user_id = :user_id and wishlist_id = :wishlist_id for update
), put as (
    insert into wishlist.named_item (wishlist_id, product_id, added_at)
    select wishlist_id, :product_id, :now from list
    on conflict do nothing
    returning wishlist_id
)
update wishlist.named n set items = n.items + 1 from put where n.wishlist_id = put.wishlist_id;

-- name: drop_from(user_id, wishlist_id, product_id)
with list as (
    select wishlist_id from wishlist.named where user_id = :user_id and wishlist_id = :wishlist_id for update
), dropped as (
    delete from wishlist.named_item i using list
    where i.wishlist_id = list.wishlist_id and i.product_id = :product_id
    returning i.wishlist_id
)
update wishlist.named n set items = n.items - 1 from dropped d where n.wishlist_id = d.wishlist_id;

-- name: forget_named(user_ids)
delete from wishlist.named where user_id = any (:user_ids::bigint[]);
