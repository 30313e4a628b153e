-- name: write(subject_ids, kinds, channels, order_ids, emails, user_ids, facts, now, sending)
-- Where the fact names no address, it goes to whoever got the order's confirmation. Without a way to send
-- (`sending`) the mailbox is the delivery. Who does without a kind gets none of it.
insert into notifications.mail
    (subject_id, kind, channel, order_id, recipient, user_id, facts, made_at, due_at, sent_at)
select subject_id, kind, channel, order_id, recipient, user_id, facts::jsonb, :now::timestamptz,
    case when :sending::boolean then :now end, case when not :sending then :now end
from (
    select told.*, coalesce(nullif(told.email, ''), (
        select confirmed.recipient from notifications.mail confirmed
        where confirmed.subject_id = told.order_id and confirmed.kind = 'order_confirmed'
            and confirmed.channel = 'mail')) as recipient
    from unnest(:subject_ids::bigint[], :kinds::text[], :channels::text[], :order_ids::bigint[], :emails::text[],
        :user_ids::bigint[], :facts::text[])
        as told (subject_id, kind, channel, order_id, email, user_id, facts)
) letter
where recipient is not null and not exists (
    select from notifications.unwanted u
    where u.whose in (lower(recipient), user_id::text) and u.kind = letter.kind)
order by subject_id, kind, channel
on conflict do nothing
returning kind, subject_id;

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
returning m.mail_id, m.kind, m.order_id, m.recipient, m.facts, m.made_at as at, m.sent_at, m.tries, m.failure,
    (select c.facts from notifications.mail c
     where c.subject_id = m.order_id and c.kind = 'order_confirmed' and c.channel = 'mail') as order_facts;

-- name: settle(mail_id, sent_at, due_at, failure)
update notifications.mail set sent_at = coalesce(:sent_at, sent_at), due_at = :due_at, failure = :failure where mail_id = :mail_id;

-- name: mark_lost(before, failure)
-- Whoever held these is gone; nobody knows whether they went out, so they are not sent again by themselves.
update notifications.mail set failure = :failure
where due_at is null and sent_at is null and failure is null and claimed_at < :before
returning mail_id, kind, order_id;

-- name: send_again(mail_id, now)
update notifications.mail set due_at = :now, tries = 0, failure = null
where mail_id = :mail_id and sent_at is null and failure is not null
returning mail_id;

-- name: send_of_order_again(mail_id, order_id, now, sending)
-- Not one that is on its way. One that was sent is to be sent again, and followed like any. Without a way to send the
-- mailbox is the delivery.
update notifications.mail set tries = 0, failure = null, due_at = case when :sending::boolean then :now::timestamptz end,
    sent_at = case when not :sending then :now end, claimed_at = null
where mail_id = :mail_id and order_id = :order_id and due_at is null and (sent_at is not null or failure is not null)
returning mail_id;

-- name: forget_people(recipient, guest, user_ids, numbers)
-- Of a guest those about their own orders: somebody with an account may have the same address. What was about
-- to be written to them never is.
with letters as (
    delete from notifications.mail m
    where lower(m.recipient) = lower(:recipient)
        and (not :guest::boolean or m.user_id = any (:numbers::bigint[]) or m.facts ->> 'user_id' = any (:user_ids::text[]))
), choices as (
    delete from notifications.unwanted u
    where u.whose = any (:numbers::text[]) or not :guest and u.whose = lower(:recipient)
)
delete from notifications.notice n
where n.facts -> 0 ->> 'user_id' = any (:user_ids);

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
where m.order_id = :order_id
order by m.mail_id desc
limit 100;

-- name: undelivered(order_id)
select distinct recipient from notifications.mail
where order_id = :order_id and failure is not null and due_at is null and sent_at is null
order by recipient limit 10;

-- name: failed(before, rows_max)
-- Letters that were given up, the newest first.
select m.mail_id, m.kind, m.recipient, m.facts, m.made_at as at, m.sent_at, m.tries, m.failure,
    (select c.facts from notifications.mail c
     where c.subject_id = m.order_id and c.kind = 'order_confirmed' and c.channel = 'mail') as order_facts
from notifications.mail m
where m.failure is not null and m.due_at is null and m.sent_at is null and m.mail_id < :before
order by m.mail_id desc
limit :rows_max;

-- name: add_notices(kinds, subject_ids, versions, facts, counts, due_at)
insert into notifications.notice (kind, subject_id, version, facts, facts_count, due_at)
select kind, subject_id, version, facts::jsonb, facts_count, :due_at::timestamptz
from unnest(:kinds::text[], :subject_ids::bigint[], :versions::bigint[], :facts::text[], :counts::integer[])
    as n (kind, subject_id, version, facts, facts_count)
order by kind, subject_id, version
on conflict do nothing;

-- name: gather_notices(kinds, subject_ids, versions, facts, counts, due_at)
-- What comes meanwhile is added to what waits: all of it is counted, some is named.
insert into notifications.notice as waiting (kind, subject_id, version, facts, facts_count, due_at)
select kind, subject_id, version, facts::jsonb, facts_count, :due_at::timestamptz
from unnest(:kinds::text[], :subject_ids::bigint[], :versions::bigint[], :facts::text[], :counts::integer[])
    as n (kind, subject_id, version, facts, facts_count)
order by kind, subject_id, version
on conflict (kind, subject_id, version) do update
set facts = case when jsonb_array_length(waiting.facts) < 20 then waiting.facts || excluded.facts else waiting.facts end,
    facts_count = waiting.facts_count + excluded.facts_count;

-- name: next_notice(now)
select kind, subject_id, version, tries from notifications.notice where due_at <= :now order by due_at limit 1;

-- name: alone
-- While people are forgotten nothing is written of which they would not know; by a statement of its own, for
-- one sees only what was committed before it began.
select pg_advisory_xact_lock(7264, 20);

-- name: hold_off_forgetting
select pg_advisory_xact_lock_shared(7264, 20);

-- name: lock_notice(kind, subject_id, version, now)
select notice_id, facts, facts_count, after from notifications.notice
where kind = :kind and subject_id = :subject_id and version = :version and due_at <= :now
for update;

-- name: drop_notice(kind, subject_id, version)
delete from notifications.notice where kind = :kind and subject_id = :subject_id and version = :version;

-- name: move_notice(kind, subject_id, version, after, now)
-- Behind all others that are due: a product that many keep does not hold them up.
update notifications.notice set after = :after, due_at = :now, tries = 0
where kind = :kind and subject_id = :subject_id and version = :version;

-- name: put_off(kind, subject_id, version, due_at)
update notifications.notice set due_at = :due_at, tries = tries + 1
where kind = :kind and subject_id = :subject_id and version = :version;

-- name: unwanted(whose)
select distinct kind from notifications.unwanted where whose = any(:whose::text[]);

-- name: choose(user_id, email, kinds, wanted)
-- What is wanted again is so by whichever name it was not. What waits to be sent and is not wanted is not sent.
with given as (
    select * from unnest(:kinds::text[], :wanted::boolean[]) as g (kind, wanted)
), again as (
    delete from notifications.unwanted u using given g
    where u.whose in (:user_id::text, :email::text) and u.kind = g.kind and g.wanted
), unsent as (
    delete from notifications.mail m using given g
    where m.due_at is not null and lower(m.recipient) = :email and m.kind = g.kind and not g.wanted
)
insert into notifications.unwanted (whose, kind)
select :user_id, kind from given where not wanted
on conflict do nothing;

-- name: subscription(mail_id)
select m.kind, not exists (
    select from notifications.unwanted u
    where u.whose in (lower(m.recipient), m.user_id::text) and u.kind = m.kind) as wanted
from notifications.mail m where m.mail_id = :mail_id;

-- name: unsubscribe(mail_id)
with letter as (
    select lower(recipient) as recipient, user_id, kind from notifications.mail where mail_id = :mail_id
), unsent as (
    delete from notifications.mail m using letter l
    where m.due_at is not null and lower(m.recipient) = l.recipient and m.kind = l.kind
)
insert into notifications.unwanted (whose, kind)
select whose, kind from letter, unnest(array[recipient, user_id::text]) whose where whose is not null
on conflict do nothing;

-- name: resubscribe(mail_id)
delete from notifications.unwanted u using notifications.mail m
where m.mail_id = :mail_id and u.whose in (lower(m.recipient), m.user_id::text) and u.kind = m.kind;
