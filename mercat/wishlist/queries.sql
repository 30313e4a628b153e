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
select wishlist_id, name, items, alerts from wishlist.named where user_id = :user_id order by wishlist_id;

-- name: items_of_first(user_id)
select items from wishlist.list where user_id = :user_id;

-- name: first(user_id)
select items, alerts from wishlist.list where user_id = :user_id;

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
returning wishlist_id, name, items, alerts;

-- name: remove(user_id, wishlist_id)
delete from wishlist.named where user_id = :user_id and wishlist_id = :wishlist_id returning wishlist_id;

-- name: named(wishlist_id)
select wishlist_id, name, items, alerts from wishlist.named where wishlist_id = :wishlist_id;

-- name: owned(user_id, wishlist_id)
select wishlist_id, name, items, alerts from wishlist.named where user_id = :user_id and wishlist_id = :wishlist_id;

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

-- name: watch(product_id, price, in_stock)
insert into wishlist.watched (product_id, price, stood_price, in_stock)
values (:product_id, :price::bigint, :price, :in_stock)
on conflict do nothing;

-- name: product_changed(product_ids, versions, prices, in_stocks, currencies, now)
-- Without a price (it is not for sale, or nobody knew it) nothing is compared. What a price was before today
-- is what it is compared with, so one that goes up and down within a day is no news.
with seen as materialized (
    select w.product_id, t.version, coalesce(t.price, w.price) as price, t.in_stock, t.currency, w.price as was_price,
        w.priced_at, case when w.priced_at <= :now::timestamptz - interval '1 day' then w.price else w.stood_price end
            as stood_price,
        w.in_stock as was_in_stock, w.cheaper_at, w.back_at
    from unnest(:product_ids::bigint[], :versions::int[], :prices::bigint[], :in_stocks::boolean[], :currencies::text[])
        as t (product_id, version, price, in_stock, currency)
    join wishlist.watched w using (product_id)
    where w.version < t.version
    order by w.product_id
    for update of w
), news as materialized (
    select *, in_stock and price < least(was_price, stood_price) and cheaper_at <= :now - interval '1 day' as cheaper,
        in_stock and not was_in_stock and back_at <= :now - interval '1 day' as back
    from seen
), changed as (
    update wishlist.watched w
    set version = n.version, price = n.price, in_stock = n.in_stock,
        stood_price = case when n.price is distinct from n.was_price then coalesce(n.stood_price, n.price) else w.stood_price end,
        priced_at = case when n.price <> n.was_price then :now else w.priced_at end,
        cheaper_at = case when n.cheaper then :now else w.cheaper_at end,
        back_at = case when n.back then :now else w.back_at end
    from news n where w.product_id = n.product_id
)
select events.tell('PriceDropped', jsonb_build_object('event', 'PriceDropped', 'product_id', product_id,
    'version', version, 'price', price, 'was_price', stood_price, 'currency', currency)) from news where cheaper
union all
select events.tell('BackInStock', jsonb_build_object('event', 'BackInStock', 'product_id', product_id,
    'version', version)) from news where back;

-- name: keepers(product_id, after, most)
select i.user_id from wishlist.item i join wishlist.list l using (user_id)
where i.product_id = :product_id and i.user_id > :after and l.alerts
order by i.user_id limit :most;

-- name: keepers_on_named(product_id, after, most)
select i.wishlist_id, n.user_id, n.alerts from wishlist.named_item i join wishlist.named n using (wishlist_id)
where i.product_id = :product_id and i.wishlist_id > :after
order by i.wishlist_id limit :most;

-- name: alert(user_id, wishlist_id, alerts)
update wishlist.named set alerts = :alerts where user_id = :user_id and wishlist_id = :wishlist_id
returning wishlist_id;

-- name: alert_first(user_id, alerts)
insert into wishlist.list (user_id, items, alerts) values (:user_id, 0, :alerts)
on conflict (user_id) do update set alerts = excluded.alerts;
