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

-- name: add_import(import_id, seller_id, file, format, dry_run, content, size, most, key)
-- Nothing where as many wait already, or the key was used.
insert into sellers.import (import_id, seller_id, file, format, dry_run, content, size, key)
select :import_id, :seller_id, :file, :format, :dry_run, :content, :size, :key
where (select count(*) from sellers.import where seller_id = :seller_id and status in ('queued', 'running')) < :most
on conflict (seller_id, key) where key is not null do nothing
returning import_id;

-- name: import_by_key(seller_id, key)
select import_id from sellers.import where seller_id = :seller_id and key = :key;

-- name: file_import(seller_id, import_id)
select import_id, file, format, dry_run, size, status, detail, progress::text, problems::text, undone::text, created_at,
    finished_at
from sellers.import where import_id = :import_id and seller_id = :seller_id;

-- name: imports_of(seller_id, after, most)
select import_id, file, format, dry_run, size, status, detail, progress::text, '[]' as problems, undone::text, created_at,
    finished_at
from sellers.import where seller_id = :seller_id and (:after::bigint is null or import_id < :after)
order by import_id desc limit :most;

-- name: claim_import(lease_s)
-- The eldest that nobody works on: it waits, or who worked on it has died.
update sellers.import set status = case when status = 'undoing' then status else 'running' end, attempts = attempts + 1,
    lease_until = now() + make_interval(secs => :lease_s)
where import_id = (
    select import_id from sellers.import
    where status in ('queued', 'running', 'undoing') and lease_until < now()
    order by import_id limit 1 for update skip locked
)
returning import_id, seller_id, file, format, dry_run, content, size, attempts, status;

-- name: begin_undo(import_id, seller_id)
update sellers.import set status = 'undoing', attempts = 0, lease_until = '-infinity'
where import_id = :import_id and seller_id = :seller_id and status in ('done', 'failed');

-- name: finish_undo(import_id, undone)
update sellers.import set status = 'undone', undone = :undone::jsonb where import_id = :import_id and status = 'undoing';

-- name: import_goes_on(import_id, lease_s, progress)
update sellers.import set lease_until = now() + make_interval(secs => :lease_s), progress = coalesce(:progress::jsonb, progress)
where import_id = :import_id and status in ('running', 'undoing');

-- name: kept_batch(import_id, n)
select result from sellers.import_batch where import_id = :import_id and n = :n;

-- name: keep_batch(import_id, n, result)
insert into sellers.import_batch (import_id, n, result) values (:import_id, :n, :result) on conflict do nothing;

-- name: finish_import(import_id, status, detail, format, progress, problems)
with batches as (delete from sellers.import_batch where import_id = :import_id)
update sellers.import set status = :status, detail = :detail, format = case when :format = '' then format else :format end,
    progress = :progress::jsonb, problems = :problems::jsonb, content = null, finished_at = now()
where import_id = :import_id and status = 'running';
-- name: forget_people(user_ids)
update sellers.seller set user_id = null where user_id = any (:user_ids::bigint[]);
