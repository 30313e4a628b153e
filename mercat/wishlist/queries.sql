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
