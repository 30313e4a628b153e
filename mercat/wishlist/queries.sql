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
