-- Change: a seller waits until an operator lets them in; one seller is the shop's own; names that look alike are taken.
-- Previous release: goes on: its new sellers are active and have no `look`.

alter table sellers.seller drop constraint seller_status_check;
alter table sellers.seller
    add constraint seller_status_check check (status in ('pending', 'active', 'suspended')),
    add column version integer not null default 0,  -- raised with the status
    add column reason text not null default '',     -- of the suspension
    add column own boolean not null default false,
    add column look text;                           -- what names that look alike have in common
create unique index seller_own on sellers.seller (own) where own;

-- For names in Latin letters what `look_of` makes of them; of two that look alike already the elder has it.
update sellers.seller s set look = l.look
from (
    select distinct on (look) seller_id, look
    from (
        select seller_id, replace(replace(translate(regexp_replace(lower(name), '[^a-z0-9]', '', 'g'), '01i', 'oll'),
            'rn', 'm'), 'vv', 'w') as look
        from sellers.seller where name ~ '^[ -~]*$'
    ) as all_looks
    where look <> '' order by look, seller_id
) as l
where l.seller_id = s.seller_id;
create unique index seller_look on sellers.seller (look);
