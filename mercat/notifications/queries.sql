-- name: write
-- Where the fact names no address, it goes to whoever got the order's confirmation. Without a way to send ($7)
-- the mailbox is the delivery.
insert into notifications.mail (subject_id, kind, channel, order_id, recipient, facts, made_at, due_at, sent_at)
select subject_id, kind, 'mail', order_id, recipient, facts::jsonb, $6::timestamptz,
    case when $7::boolean then $6 end, case when not $7 then $6 end
from (
    select told.subject_id, told.kind, told.order_id, told.facts, coalesce(nullif(told.email, ''), (
        select confirmed.recipient from notifications.mail confirmed
        where confirmed.subject_id = told.order_id and confirmed.kind = 'order_confirmed'
            and confirmed.channel = 'mail')) as recipient
    from unnest($1::bigint[], $2::text[], $3::bigint[], $4::text[], $5::text[])
        as told (subject_id, kind, order_id, email, facts)
) letter
where recipient is not null
order by subject_id, kind
on conflict do nothing;

-- name: mailbox
select m.mail_id, m.kind, m.recipient, m.facts, m.made_at as at, m.sent_at, m.tries, m.failure,
    (select c.facts from notifications.mail c
     where c.subject_id = m.order_id and c.kind = 'order_confirmed' and c.channel = 'mail') as order_facts
from notifications.mail m
order by m.mail_id desc
limit $1;

-- name: mailbox_of
select m.mail_id, m.kind, m.recipient, m.facts, m.made_at as at, m.sent_at, m.tries, m.failure,
    (select c.facts from notifications.mail c
     where c.subject_id = m.order_id and c.kind = 'order_confirmed' and c.channel = 'mail') as order_facts
from notifications.mail m
where lower(m.recipient) = lower($2)
order by m.mail_id desc
limit $1;

-- name: any_due
select exists (select from notifications.mail where due_at <= $1);

-- name: claim
-- Takes one letter out of everybody else's hands before it is sent: from here on a crash loses it rather than
-- send it twice.
update notifications.mail m set due_at = null, claimed_at = $1, tries = m.tries + 1, failure = null
where m.mail_id = (
    select mail_id from notifications.mail
    where due_at <= $1
    order by due_at, mail_id
    for update skip locked
    limit 1
)
returning m.mail_id, m.kind, m.recipient, m.facts, m.made_at as at, m.sent_at, m.tries, m.failure,
    (select c.facts from notifications.mail c
     where c.subject_id = m.order_id and c.kind = 'order_confirmed' and c.channel = 'mail') as order_facts;

-- name: settle
update notifications.mail set sent_at = $2, due_at = $3, failure = $4 where mail_id = $1;

-- name: lose
-- Whoever held these is gone; nobody knows whether they went out, so they are not sent again by themselves.
update notifications.mail set failure = $2
where due_at is null and sent_at is null and failure is null and claimed_at < $1;

-- name: again
update notifications.mail set due_at = $2, tries = 0, failure = null
where mail_id = $1 and sent_at is null and failure is not null
returning mail_id;
