-- name: register(seller_id, user_id, name, status, look)
-- Once a person and once a name: the same again is the same seller.
with registered as (
    insert into sellers.seller (seller_id, user_id, name, status, look, version)
    values (:seller_id, :user_id, :name, :status, :look, 1)
    on conflict do nothing
    returning *
), told as (
    select case when user_id is not null then events.tell('SellerRegistered', jsonb_build_object(
            'event', 'SellerRegistered', 'seller_id', seller_id, 'user_id', user_id, 'name', name)) end,
        case when status <> 'active' then events.tell('SellerStatusChanged', jsonb_build_object(
            'event', 'SellerStatusChanged', 'seller_id', seller_id, 'status', status, 'version', version)) end
    from registered
)
select seller_id, user_id, name, status, since, reason, own, version from registered, told;

-- name: own
select seller_id from sellers.seller where own;

-- name: add_own(seller_id, name, look)
insert into sellers.seller (seller_id, name, look, own) values (:seller_id, :name, :look, true) on conflict do nothing;

-- name: set_status(seller_id, status, reason)
with changed as (
    update sellers.seller set status = :status, reason = :reason, version = version + 1
    where seller_id = :seller_id and status <> :status
    returning *
), told as (
    select events.tell('SellerStatusChanged', jsonb_build_object(
        'event', 'SellerStatusChanged', 'seller_id', seller_id, 'status', status, 'version', version))
    from changed
)
select seller_id, user_id, name, status, since, reason, own, version from changed, told;

-- name: newest(status, after, most)
select seller_id, user_id, name, status, since, reason, own, version from sellers.seller
where (:status::text is null or status = :status) and (:after::bigint is null or seller_id < :after)
order by seller_id desc limit :most;

-- name: of_user(user_id)
select seller_id, user_id, name, status, since, reason, own, version from sellers.seller where user_id = :user_id;

-- name: by_name(name, look)
-- Of this name, else of one that looks like it.
select seller_id, user_id, name, status, since, reason, own, version from sellers.seller
where lower(name) = lower(:name) or look = :look order by lower(name) = lower(:name) desc, seller_id limit 1;

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
select seller_id, user_id, name, status, since, reason, own, version from sellers.seller where seller_id = any(:seller_ids::bigint[]);

-- name: forget_people(user_ids)
update sellers.seller set user_id = null where user_id = any (:user_ids::bigint[]);
