-- name: register
-- Once a person and once a name: the same again is the same seller.
with registered as (
    insert into sellers.seller (seller_id, user_id, name) values ($1, $2, $3)
    on conflict do nothing
    returning seller_id, user_id, name
)
select seller_id, case when user_id is not null then events.tell('SellerRegistered', jsonb_build_object(
    'event', 'SellerRegistered', 'seller_id', seller_id, 'user_id', user_id, 'name', name)) end as told
from registered;

-- name: of_user
select seller_id, user_id, name, status, since from sellers.seller where user_id = $1;

-- name: by_name
select seller_id, user_id, name, status, since from sellers.seller where lower(name) = lower($1);

-- name: adopt
with adopted as (
    update sellers.seller set user_id = $2
    where seller_id = $1 and user_id is null
        and not exists (select from sellers.seller other where other.user_id = $2)
    returning seller_id, user_id, name
)
select seller_id, events.tell('SellerRegistered', jsonb_build_object(
    'event', 'SellerRegistered', 'seller_id', seller_id, 'user_id', user_id, 'name', name)) as told
from adopted;

-- name: sellers
select seller_id, user_id, name, status, since from sellers.seller where seller_id = any($1::bigint[]);
