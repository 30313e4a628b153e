-- name: write(subject_ids, kinds, order_ids, emails, facts, now, sending)
-- Where the fact names no address, it goes to whoever got the order's confirmation. Without a way to send
-- (`sending`) the mailbox is the delivery.
insert into notifications.mail (subject_id, kind, channel, order_id, recipient, facts, made_at, due_at, sent_at)
select subject_id, kind, 'mail', order_id, recipient, facts::jsonb, :now::timestamptz,
    case when :sending::boolean then :now end, case when not :sending then :now end
from (
    select told.subject_id, told.kind, told.order_id, told.facts, coalesce(nullif(told.email, ''), (
        select confirmed.recipient from notifications.mail confirmed
        where confirmed.subject_id = told.order_id and confirmed.kind = 'order_confirmed'
            and confirmed.channel = 'mail')) as recipient
    from unnest(:subject_ids::bigint[], :kinds::text[], :order_ids::bigint[], :emails::text[], :facts::text[])
        as told (subject_id, kind, order_id, email, facts)
) letter
where recipient is not null
order by subject_id, kind
on conflict do nothing;

-- name: mailbox(limit_to)
select m.mail_id, m.kind, m.recipient, m.facts, m.made_at as at, m.sent_at, m.tries, m.failure,
    (select c.facts from notifications.mail c
     where c.subject_id = m.order_id and c.kind = 'order_confirmed' and c.channel = 'mail') as order_facts
from notifications.mail m
order by m.mail_id desc
limit :limit_to;

-- name: mailbox_of(limit_to, recipient)
select m.mail_id, m.kind, m.recipient, m.facts, m.made_at as at, m.sent_at, m.tries, m.failure,
    (select c.facts from notifications.mail c
     where c.subject_id = m.order_id and c.kind = 'order_confirmed' and c.channel = 'mail') as order_facts
from notifications.mail m
where lower(m.recipient) = lower(:recipient)
order by m.mail_id desc
limit :limit_to;

-- name: any_due(now)
select exists (select from notifications.mail where due_at <= :now);

-- name: claim(now)
-- Takes one letter out of everybody else's hands before it is sent: from here on a crash loses it rather than
-- send it twice.
update notifications.mail m set due_at = null, claimed_at = :now, tries = m.tries + 1, failure = null
where m.mail_id = (
    select mail_id from notifications.mail
    where due_at <= :now
    order by due_at, mail_id
    for update skip locked
    limit 1
)
returning m.mail_id, m.kind, m.recipient, m.facts, m.made_at as at, m.sent_at, m.tries, m.failure,
    (select c.facts from notifications.mail c
     where c.subject_id = m.order_id and c.kind = 'order_confirmed' and c.channel = 'mail') as order_facts;

-- name: settle(mail_id, sent_at, due_at, failure)
update notifications.mail set sent_at = :sent_at, due_at = :due_at, failure = :failure where mail_id = :mail_id;

-- name: mark_lost(before, failure)
-- Whoever held these is gone; nobody knows whether they went out, so they are not sent again by themselves.
update notifications.mail set failure = :failure
where due_at is null and sent_at is null and failure is null and claimed_at < :before;

-- name: send_again(mail_id, now)
update notifications.mail set due_at = :now, tries = 0, failure = null
where mail_id = :mail_id and sent_at is null and failure is not null
returning mail_id;

-- name: forget_people(recipient, guest, user_ids)
-- Of a guest those about their own orders: somebody with an account may have the same address.
delete from notifications.mail
where lower(recipient) = lower(:recipient) and (not :guest::boolean or facts ->> 'user_id' = any (:user_ids::text[]));

-- name: orders_of(recipient, before, rows_max)
select subject_id as order_id from notifications.mail
where lower(recipient) = lower(:recipient) and kind = 'order_confirmed' and subject_id < :before
order by mail_id desc limit :rows_max;

-- name: letter(mail_id)
select m.mail_id, m.kind, m.recipient, m.facts, m.made_at as at, m.sent_at, m.tries, m.failure,
    (select c.facts from notifications.mail c
     where c.subject_id = m.order_id and c.kind = 'order_confirmed' and c.channel = 'mail') as order_facts
from notifications.mail m
where m.mail_id = :mail_id;

-- name: of_order(order_id)
select m.mail_id, m.kind, m.recipient, m.facts, m.made_at as at, m.sent_at, m.tries, m.failure,
    (select c.facts from notifications.mail c
     where c.subject_id = m.order_id and c.kind = 'order_confirmed' and c.channel = 'mail') as order_facts
from notifications.mail m
where m.subject_id = :order_id or m.order_id = :order_id
order by m.mail_id desc
limit 100;
