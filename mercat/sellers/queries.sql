-- name: register(seller_id, user_id, name, looks)
-- Once a person and once a name, and what looks like it: the same again is the same seller.
with registered as (
    insert into sellers.seller (seller_id, user_id, name, looks) values (:seller_id, :user_id, :name, :looks)
    on conflict do nothing
    returning seller_id, user_id, name
)
select seller_id, case when user_id is not null then events.tell('SellerRegistered', jsonb_build_object(
    'event', 'SellerRegistered', 'seller_id', seller_id, 'user_id', user_id, 'name', name)) end as told
from registered;

-- name: of_user(user_id)
select seller_id, user_id, name, status, since from sellers.seller where user_id = :user_id;

-- name: by_name(name)
select seller_id, user_id, name, status, since from sellers.seller where lower(name) = lower(:name);

-- name: adopt(seller_id, user_id)
with adopted as (
    update sellers.seller set user_id = :user_id
    where seller_id = :seller_id and user_id is null
        and not exists (select from sellers.seller other where other.user_id = :user_id)
    returning seller_id, user_id, name
)
select seller_id, events.tell('SellerRegistered', jsonb_build_object(
    'event', 'SellerRegistered', 'seller_id', seller_id, 'user_id', user_id, 'name', name)) as told
from adopted;

-- name: sellers(seller_ids)
select seller_id, user_id, name, status, since from sellers.seller where seller_id = any(:seller_ids::bigint[]);

-- name: forget_people(user_ids)
update sellers.seller set user_id = null where user_id = any (:user_ids::bigint[]);

-- name: without_looks
select seller_id, name from sellers.seller where looks is null order by seller_id;

-- name: fill_looks(seller_id, looks)
-- Of two that look alike already the later one keeps its name, and what it looks like is its own.
update sellers.seller s set looks = case
    when exists (select from sellers.seller other where other.looks = :looks) then :looks || ' ' || :seller_id::bigint
    else :looks end
where s.seller_id = :seller_id and s.looks is null;
