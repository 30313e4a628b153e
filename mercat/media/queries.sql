-- name: of_content(content)
select media_id, name, width, height from media.medium where content = :content;

-- name: add(media_id, content, name, width, height, created_at)
insert into media.medium (media_id, content, name, width, height, created_at)
values (:media_id, :content, :name, :width, :height, :created_at)
on conflict do nothing;

-- name: hold(media_id, owner, alt)
-- Alternative text stays what it was where none is given now.
insert into media.holder as h (media_id, owner, alt) values (:media_id, :owner, :alt)
on conflict (media_id, owner) do update set alt = case when excluded.alt = '' then h.alt else excluded.alt end
returning alt;

-- name: held(media_ids, owners)
select m.media_id, m.name, m.width, m.height, h.alt
from media.medium m join lateral (
    select h.alt from media.holder h where h.media_id = m.media_id and h.owner = any(:owners::bigint[])
    order by h.owner desc limit 1) h on true
where m.media_id = any(:media_ids::bigint[]);
