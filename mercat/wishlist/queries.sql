-- name: items
select product_id, added_at from wishlist.item where user_id = $1 order by added_at desc, product_id desc;

-- name: put
with put as (
    insert into wishlist.item (user_id, product_id, added_at) values ($1, $2, $3)
    on conflict do nothing
    returning user_id
)
insert into wishlist.list as l (user_id, items) select user_id, 1 from put
on conflict (user_id) do update set items = l.items + 1;

-- name: drop
with dropped as (
    delete from wishlist.item where user_id = $1 and product_id = $2 returning user_id
)
update wishlist.list l set items = l.items - 1 from dropped where l.user_id = dropped.user_id;
