-- name: of_content(content)
select media_id, name, width, height from media.medium where content = :content;

-- name: add(media_id, content, name, width, height, created_at)
insert into media.medium (media_id, content, name, width, height, created_at)
values (:media_id, :content, :name, :width, :height, :created_at)
on conflict do nothing;

-- name: hold(media_id, owner, alt, draft_until)
-- Alternative text stays what it was where none is given now, and what is kept is no draft again.
insert into media.holder as h (media_id, owner, alt, draft_until) values (:media_id, :owner, :alt, :draft_until)
on conflict (media_id, owner) do update set alt = case when excluded.alt = '' then h.alt else excluded.alt end,
    draft_until = case when h.draft_until is not null then excluded.draft_until end
returning alt;

-- name: settle(media_ids, alts, owner)
update media.holder h set alt = g.alt, draft_until = null
from unnest(:media_ids::bigint[], :alts::text[]) as g (media_id, alt)
where h.media_id = g.media_id and h.owner = :owner;

-- name: lock_old_drafts(now, limit)
-- Who sends one of these again waits until it is gone or kept.
select m.media_id from media.medium m
where m.media_id in (select h.media_id from media.holder h where h.draft_until < :now
    order by h.draft_until limit :limit)
order by m.media_id for update;

-- name: drop_old_drafts(media_ids, now)
delete from media.holder where media_id = any(:media_ids::bigint[]) and draft_until < :now;

-- name: forget_unheld(media_ids)
delete from media.medium m
where m.media_id = any(:media_ids::bigint[])
    and not exists (select from media.holder h where h.media_id = m.media_id)
returning m.name;

-- name: held(media_ids, owners)
select m.media_id, m.name, m.width, m.height, h.alt
from media.medium m join lateral (
    select h.alt from media.holder h where h.media_id = m.media_id and h.owner = any(:owners::bigint[])
    order by h.owner desc limit 1) h on true
where m.media_id = any(:media_ids::bigint[]);
