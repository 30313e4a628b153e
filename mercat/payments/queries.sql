-- name: record_charges(payment_ids, checkout_ids, order_ids, amounts, tendereds, currencies, statuses, reasons, parts,
--     kept, entry_accounts, entry_amounts, earned_order_ids, earned_seller_ids, earned_checkout_ids, earned_currencies,
--     earned_kinds, earned_amounts)
-- What the provider said of each charge, with its journal entry and what sellers earned by it; an answer that stands
-- already is the answer.
with asked as materialized (
    select distinct on (checkout_id) * from unnest(:payment_ids::bigint[], :checkout_ids::bigint[],
        :order_ids::bigint[], :amounts::bigint[], :tendereds::bigint[], :currencies::text[], :statuses::text[],
        :reasons::text[], :parts::text[], :kept::text[], :entry_accounts::text[], :entry_amounts::text[])
        as a (payment_id, checkout_id, order_id, amount, tendered, currency, status, reason, parts, kept, accounts,
            amounts)
), recorded as (
    insert into payments.payment as p
        (payment_id, checkout_id, order_id, amount, tendered, currency, status, reason, parts, kept)
    select payment_id, checkout_id, order_id, amount, tendered, currency, status, reason, parts::json, kept::json
    from asked order by checkout_id
    on conflict (checkout_id) do update set status = excluded.status, reason = excluded.reason
        where p.status = 'action_required' and excluded.status <> 'action_required'
    returning payment_id, checkout_id, status
), booked as (
    insert into payments.entry (kind, reference, currency, accounts, amounts)
    select 'capture', a.checkout_id, a.currency, a.accounts::text[], a.amounts::bigint[]
    from asked a where a.status = 'captured' and a.checkout_id = any (array(select checkout_id from recorded))
), earned as (
    insert into payments.earning (order_id, seller_id, reference, currency, kinds, amounts, at)
    select order_id, seller_id, checkout_id, currency, kinds::text[], amounts::bigint[], now()
    from unnest(:earned_order_ids::bigint[], :earned_seller_ids::bigint[], :earned_checkout_ids::bigint[],
        :earned_currencies::text[], :earned_kinds::text[], :earned_amounts::text[])
        as e (order_id, seller_id, checkout_id, currency, kinds, amounts)
    where checkout_id = any (array(select checkout_id from recorded))
)
select checkout_id, payment_id, status from recorded;

-- name: customer_of(user_id)
select customer from payments.customer where user_id = :user_id;

-- name: keep_customer(user_id, customer, lost)
-- Who was there first stays, but for the one that was lost. Two that keep one at once conflict on either column.
with mended as (
    update payments.customer set customer = :customer where user_id = :user_id and customer = :lost returning user_id
)
insert into payments.customer (user_id, customer)
select :user_id::bigint, :customer::text where not exists (select from mended)
on conflict do nothing;

-- name: keep_card(token, user_id, customer)
insert into payments.card (token, user_id, customer) values (:token, :user_id, :customer)
on conflict (token) do update set user_id = excluded.user_id, customer = excluded.customer;

-- name: of_checkouts(checkout_ids)
select payment_id, checkout_id, order_id, amount, refunded, currency, status, reason
from payments.payment where checkout_id = any(:checkout_ids::bigint[]);

-- name: insert_tombstone(payment_id, checkout_id, order_id, currency)
-- A tombstone where nothing was charged yet: a charge that comes later is undone.
insert into payments.payment (payment_id, checkout_id, order_id, amount, currency, status)
values (:payment_id, :checkout_id, :order_id, 0, :currency, 'void')
on conflict (checkout_id) do nothing;

-- name: mark_void(checkout_id)
update payments.payment set status = 'void'
where checkout_id = :checkout_id and status in ('action_required', 'declined');

-- name: book_found_charge(checkout_id, amount)
-- The provider had charged what we had given up: it is booked, so that it can be refunded.
with found as (
    update payments.payment set status = 'captured', amount = :amount, tendered = 0, parts = '{}'
    where checkout_id = :checkout_id and status in ('void', 'action_required')
    returning checkout_id, currency
)
insert into payments.entry (kind, reference, currency, accounts, amounts)
select 'capture', checkout_id, currency, array['provider', 'shopper'], array[:amount::bigint,
    -:amount::bigint] from found;

-- name: lock_payment(payment_id)
select p.payment_id, p.checkout_id, p.order_id, p.amount, p.tendered, p.refunded, p.currency, p.status,
    p.parts::text, p.kept::text, e.accounts, e.amounts, e.at
from payments.payment p left join payments.entry e on e.reference = p.checkout_id and e.kind = 'capture'
where p.payment_id = :payment_id for update of p;

-- name: refund_known(reference)
select refund_id, payment_id, amount, stored, status from payments.refund where reference = :reference;

-- name: refund_parts(payment_id)
select parts::text from payments.refund where payment_id = :payment_id;

-- name: begin_refund(refund_id, payment_id, reference, amount, stored, parts, accounts, amounts)
-- Counts the refund against the capture, whose constraint refuses what was not captured, and books it as owed.
with counted as (
    update payments.payment set refunded = refunded + :amount where payment_id = :payment_id and status = 'captured'
    returning payment_id, currency
), booked as (
    insert into payments.entry (kind, reference, currency, accounts, amounts)
    select 'refund', :refund_id, currency, :accounts::text[], :amounts::bigint[] from counted
)
insert into payments.refund (refund_id, payment_id, reference, amount, stored, status, parts)
select :refund_id, payment_id, :reference, :amount, :stored, 'pending', :parts::json from counted
returning refund_id;

-- name: finish_refund(refund_id, currency, accounts, amounts)
with done as (
    update payments.refund set status = 'done' where refund_id = :refund_id and status = 'pending'
    returning refund_id, payment_id, reference, amount, parts
), booked as (
    insert into payments.entry (kind, reference, currency, accounts, amounts)
    select 'paid_back', refund_id, :currency, :accounts::text[], :amounts::bigint[] from done
)
select events.tell('RefundPaid', jsonb_build_object('event', 'RefundPaid', 'refund_id', d.refund_id,
    'order_id', p.order_id, 'amount', d.amount, 'currency', p.currency, 'reference', d.reference,
    'seller_ids', coalesce((select jsonb_agg(substr(account, 8)::bigint) from json_object_keys(d.parts) account
        where account like 'seller:%'), '[]')))
from done d join payments.payment p using (payment_id);

-- name: fail_refund(refund_id, accounts)
-- The bank could not pay it back: it is owed again, and what was booked as paid has come back to us. Twice is once.
with failed as (
    update payments.refund set status = 'failed' where refund_id = :refund_id and status <> 'failed'
    returning refund_id, payment_id, amount - stored as amount, old.status as before
), booked as (
    insert into payments.entry (kind, reference, currency, accounts, amounts)
    select 'came_back', f.refund_id, p.currency, :accounts::text[], array[f.amount, -f.amount]
    from failed f join payments.payment p using (payment_id) where f.before = 'done'
)
select events.tell('RefundFailed', jsonb_build_object('event', 'RefundFailed', 'refund_id', f.refund_id,
    'order_id', p.order_id, 'amount', f.amount, 'currency', p.currency))
from failed f join payments.payment p using (payment_id);

-- name: refund_of(refund_id)
select p.order_id, p.currency, r.amount - r.stored as amount from payments.refund r join payments.payment p using (payment_id)
where r.refund_id = :refund_id;

-- name: claim_reconciliation(now, every)
-- Whether it is time again; whoever is told so does it.
update payments.reconciled set at = :now where at <= :now::timestamptz - :every::interval returning at;

-- name: set_reconciled_at(last_at)
update payments.reconciled set at = :last_at;

-- name: of_order(order_id)
select p.payment_id, case when p.status <> 'captured' or p.refunded - f.failed = 0 then p.status
        when p.refunded - f.failed < p.amount then 'partially_refunded' else 'refunded' end as status, p.amount,
            p.refunded, p.currency, p.at,
    coalesce((select json_agg(json_build_object('refund_id', r.refund_id, 'amount', r.amount, 'status', r.status,
        'reference', r.reference, 'at', r.at, 'tenders', case when r.stored = 0 then '[]' else (
            select json_agg(json_build_object('kind', v.kind, 'last4', v.last4, 'amount', m.amount, 'payment_id',
                t.payment_id) order by m.value_id)
            from payments.value_movement m join payments.stored_value v using (value_id)
            left join payments.tender t on t.checkout_id = p.checkout_id and t.value_id = m.value_id
            where m.reference = r.refund_id and m.kind = 'refunded') end)
        order by r.refund_id) from payments.refund r where r.payment_id = p.payment_id), '[]')::text as refunds,
    case when p.tendered = 0 then '[]' else (
        select json_agg(json_build_object('payment_id', t.payment_id, 'kind', v.kind, 'last4', v.last4,
            'amount', t.amount, 'refunded', t.refunded) order by t.place)
        from payments.tender t join payments.stored_value v using (value_id)
        where t.checkout_id = p.checkout_id)::text end as tenders
from payments.payment p cross join lateral (
    select coalesce(sum(r.amount - r.stored), 0)::bigint as failed from payments.refund r
    where r.payment_id = p.payment_id and r.status = 'failed'
) f
where p.order_id = :order_id and p.status in ('captured', 'action_required')
order by p.payment_id;

-- name: captured(order_id)
select payment_id from payments.payment where order_id = :order_id and status = 'captured';

-- name: trial_balance(sellers_together)
select case when :sellers_together and account ~ '^(seller|delivery):' then 'sellers' else account end as account, currency,
    sum(amount)::bigint as balance, count(*) as postings
from payments.entry, unnest(accounts, amounts) as u (account, amount)
group by 1, currency order by 1, currency;

-- name: waiting_too_long(before, limit_to)
-- Authorisations and challenges that nobody came back for.
select checkout_id, order_id from payments.payment where status = 'action_required' and at < :before order by at
    limit :limit_to;

-- name: begin_attempts(checkout_ids, requests, started_at, tokens, user_ids)
-- Written before the provider is asked; what stands already is the answer.
with asked as materialized (
    select a.checkout_id, a.ask, a.at, coalesce(c.customer, '') as customer
    from unnest(:checkout_ids::bigint[], :requests::text[], :started_at::timestamptz[], :tokens::text[],
        :user_ids::bigint[])
        as a (checkout_id, ask, at, token, user_id)
    left join payments.card c on c.token = a.token and c.user_id = a.user_id
), begun as (
    insert into payments.attempt (checkout_id, ask, customer, at)
    select checkout_id, ask::json, customer, at from asked order by checkout_id
    on conflict do nothing
)
select a.checkout_id, coalesce(k.reference, '') as reference, coalesce(k.customer, a.customer) as customer,
    p.payment_id, p.status, p.reason,
    k.checkout_id is not null as again
from asked a
left join payments.attempt k on k.checkout_id = a.checkout_id
left join payments.payment p on p.checkout_id = a.checkout_id;

-- name: set_references(checkout_ids, provider_references)
update payments.attempt t set reference = a.reference
from unnest(:checkout_ids::bigint[], :provider_references::text[]) as a (checkout_id,
    reference) where t.checkout_id = a.checkout_id;

-- name: attempt(checkout_id)
select ask::text, customer, reference from payments.attempt where checkout_id = :checkout_id;

-- name: attempts_left(before, limit_to)
select t.checkout_id, p.order_id, p.status, t.ask::text
from payments.attempt t left join payments.payment p using (checkout_id)
where t.open and t.at < :before order by t.at limit :limit_to;

-- name: close_attempt(checkout_id)
update payments.attempt set open = false where checkout_id = :checkout_id;

-- name: record_webhook(provider, event_id, kind, checkout_id, now)
insert into payments.notice (provider, event_id, kind, checkout_id, at) values (:provider, :event_id, :kind,
    :checkout_id, :now)
on conflict (provider, event_id) do update set tries = payments.notice.tries + 1
returning done_at is not null as done, tries;

-- name: finish_webhook(provider, event_id, now)
update payments.notice set done_at = :now where provider = :provider and event_id = :event_id and done_at is null;

-- name: take_pending_webhooks(before)
update payments.notice n set tries = n.tries + 1
from (
    select provider, event_id from payments.notice where done_at is null and at < :before
    order by at limit 50 for update skip locked
) open
where n.provider = open.provider and n.event_id = open.event_id
returning n.provider, n.event_id, n.checkout_id, n.tries;

-- name: delete_old_webhooks(before)
delete from payments.notice where at < :before;

-- name: booked_payments(checkout_ids)
select checkout_id, order_id, status, amount - tendered as amount, currency,
    (select coalesce(sum(r.amount - r.stored), 0) from payments.refund r where r.payment_id = p.payment_id and r.status = 'done')
        ::bigint as refunded,
    exists (select from payments.refund r where r.payment_id = p.payment_id and r.status = 'pending') as paying_back
from payments.payment p where checkout_id = any(:checkout_ids::bigint[]);

-- name: captured_between(first_id, end_id, limit_to)
select checkout_id, order_id, amount - tendered as amount, currency from payments.payment
where status = 'captured' and amount > tendered and checkout_id >= :first_id and checkout_id < :end_id order by checkout_id limit :limit_to;

-- name: open_case(case_id, provider, kind, subject, order_id, ours, theirs, currency, detail, now)
insert into payments.matter as m (case_id, provider, kind, subject, order_id, ours, theirs, currency, detail,
    opened_at, seen_at)
values (:case_id, :provider, :kind, :subject, :order_id, :ours, :theirs, :currency, :detail, :now, :now)
on conflict (provider, kind, subject) where resolved_at is null
do update set ours = excluded.ours, theirs = excluded.theirs, detail = excluded.detail, seen_at = excluded.seen_at
returning case_id, (xmax = 0) as fresh;

-- name: cases(only_open, kind, sort, kinds, way, after, limit_to)
-- `way`: 1 from the smallest up, -1 from the largest down; `after` is the last case of the page before.
with sorted as (
    select m.*, :way * case :sort::text when 'difference' then abs(ours - theirs)
        when 'kind' then array_position(:kinds::text[], kind) else case_id end as key
    from payments.matter m where (resolved_at is null) = :only_open and (:kind::text is null or kind = :kind)
)
select case_id, provider, kind, subject, order_id, ours, theirs, currency, detail, opened_at, seen_at, resolved_at,
    coalesce(resolved_by, '') as resolved_by, coalesce(note, '') as note
from sorted
where :after::bigint is null or (key, case_id * :way) > (
    select :way * case :sort when 'difference' then abs(l.ours - l.theirs)
        when 'kind' then array_position(:kinds, l.kind) else l.case_id end, l.case_id * :way
    from payments.matter l where l.case_id = :after)
order by key, case_id * :way
limit :limit_to;

-- name: case_counts
select count(*) filter (where resolved_at is null) as open, count(*) filter (where resolved_at is not null) as resolved
from payments.matter;

-- name: resolve(case_id, now, who, note)
update payments.matter set resolved_at = :now, resolved_by = :who, note = :note
where case_id = :case_id and resolved_at is null returning case_id;

-- name: forget_people(user_ids)
with cards as (
    delete from payments.card where user_id = any (:user_ids::bigint[])
), notes as (
    update payments.value_movement m set note = '' from payments.stored_value v
    where v.value_id = m.value_id and v.user_id = any (:user_ids) and m.note <> ''
)
delete from payments.customer where user_id = any (:user_ids);

-- name: issue_gift_card(value_id, code_hash, last4, amount, currency, expires_at, now)
with made as (
    insert into payments.stored_value (value_id, kind, code_hash, last4, initial, balance, currency, expires_at, made_at)
    values (:value_id, 'gift_card', :code_hash, :last4, :amount, :amount, :currency, :expires_at, :now)
    on conflict (code_hash) do nothing
    returning value_id, balance, currency, made_at
), moved as (
    insert into payments.value_movement (reference, kind, value_id, amount, at)
    select value_id, 'issued', value_id, balance, made_at from made
), booked as (
    insert into payments.entry (kind, reference, currency, accounts, amounts)
    select 'issued', value_id, currency, array['credit_issued', 'gift_cards'], array[balance, -balance] from made
)
select value_id from made
union all
select value_id from payments.stored_value where code_hash = :code_hash;

-- name: issue_sold(order_id, order_line_id, amount, currency, email, name, message, sender, places, value_ids,
--     code_hashes, last4s, now)
-- The gift cards of an order's line, those that are not there yet; each is told, booked and a movement of its own.
with asked as materialized (
    select * from unnest(:places::int[], :value_ids::bigint[], :code_hashes::bytea[], :last4s::text[])
        as a (place, value_id, code_hash, last4)
), fresh as (
    insert into payments.sold_gift_card (order_line_id, place, order_id, value_id)
    select :order_line_id, place, :order_id, value_id from asked order by place
    on conflict do nothing
    returning value_id
), made as (
    insert into payments.stored_value (value_id, kind, code_hash, last4, initial, balance, currency, made_at)
    select a.value_id, 'gift_card', a.code_hash, a.last4, :amount, :amount, :currency, :now
    from asked a join fresh using (value_id)
    returning value_id
), moved as (
    insert into payments.value_movement (reference, kind, value_id, amount, at)
    select value_id, 'issued', value_id, :amount, :now from made
), booked as (
    insert into payments.entry (kind, reference, currency, accounts, amounts)
    select 'issued', value_id, :currency, array['credit_issued', 'gift_cards'], array[:amount::bigint, -:amount::bigint]
    from made
)
select events.tell('GiftCardSold', jsonb_build_object('event', 'GiftCardSold', 'gift_card_id', value_id,
    'order_id', :order_id::bigint, 'amount', :amount::bigint, 'currency', :currency::text, 'email', :email::text,
    'name', :name::text, 'message', :message::text, 'sender', :sender::text)) as told
from made;

-- name: sold_of(order_id)
select s.value_id as gift_card_id, s.order_line_id, v.last4, v.initial, v.balance, s.voided_at is not null as is_void
from payments.sold_gift_card s join payments.stored_value v using (value_id)
where s.order_id = :order_id order by s.order_line_id, s.place;

-- name: void_sold(order_id, order_line_ids, units, now)
-- Of each line so many cards are void in all: those that are, then those of which the most is left.
with locked as materialized (
    select s.value_id, s.order_line_id, s.voided_at, s.refund, v.balance, v.currency
    from payments.sold_gift_card s join payments.stored_value v using (value_id)
    where s.order_id = :order_id order by s.value_id for update
), placed as (
    select *, row_number() over (partition by order_line_id order by voided_at, refund is null, balance desc, value_id) as n
    from locked
), due as materialized (
    select p.value_id, p.balance, p.currency
    from placed p
    join unnest(:order_line_ids::bigint[], :units::int[]) as b (order_line_id, units) using (order_line_id)
    where p.n <= b.units and p.voided_at is null
), marked as (
    update payments.sold_gift_card s set voided_at = :now from due where s.value_id = due.value_id
), emptied as (
    update payments.stored_value v set balance = v.balance - due.balance, status = 'disabled'
    from due where v.value_id = due.value_id
), moved as (
    insert into payments.value_movement (reference, kind, value_id, amount, at)
    select value_id, 'voided', value_id, -balance, :now from due where balance > 0
)
insert into payments.entry (kind, reference, currency, accounts, amounts)
select 'voided', value_id, currency, array['gift_cards', 'credit_issued'], array[balance, -balance]
from due where balance > 0;

-- name: stop_sold(order_id, reference, order_line_ids, units)
-- Stops so many cards of each line that nothing was spent of; those that this refund stopped before are among them.
-- Answers how many more were asked for, of lines that are gift cards.
with locked as materialized (
    select s.value_id, s.order_line_id, s.refund, v.status,
        s.refund = :reference or s.refund is null and s.voided_at is null and v.balance = v.initial as whole
    from payments.sold_gift_card s join payments.stored_value v using (value_id)
    where s.order_id = :order_id order by s.value_id for update
), placed as (
    select *, row_number() over (partition by order_line_id order by refund nulls last, value_id) as n
    from locked where whole
), asked as (
    select order_line_id, units from unnest(:order_line_ids::bigint[], :units::int[]) as a (order_line_id, units)
    where order_line_id in (select order_line_id from locked)
), due as materialized (
    select p.value_id, p.order_line_id, p.status from placed p join asked a using (order_line_id)
    where p.n <= a.units
), marked as (
    update payments.sold_gift_card s set refund = :reference, stopped = s.stopped or due.status = 'active'
    from due where s.value_id = due.value_id
), stopped as (
    update payments.stored_value v set status = 'disabled' from due where v.value_id = due.value_id
)
select (select coalesce(sum(units), 0) from asked) - (select count(*) from due) as missing;

-- name: let_sold_be(reference)
-- The refund that stopped them is not made: they pay again.
with free as (
    update payments.sold_gift_card set refund = null, stopped = false where refund = :reference and voided_at is null
    returning old.value_id, old.stopped
)
update payments.stored_value v set status = 'active' from free where v.value_id = free.value_id and free.stopped;

-- name: take_sold(reference, now)
-- Takes what is on the cards that this refund stopped.
with due as materialized (
    select s.value_id, v.balance, v.currency
    from payments.sold_gift_card s join payments.stored_value v using (value_id)
    where s.refund = :reference and s.voided_at is null order by s.value_id for update
), marked as (
    update payments.sold_gift_card s set voided_at = :now from due where s.value_id = due.value_id
), emptied as (
    update payments.stored_value v set balance = v.balance - due.balance from due where v.value_id = due.value_id
), moved as (
    insert into payments.value_movement (reference, kind, value_id, amount, at)
    select value_id, 'voided', value_id, -balance, :now from due
)
insert into payments.entry (kind, reference, currency, accounts, amounts)
select 'voided', value_id, currency, array['gift_cards', 'credit_issued'], array[balance, -balance] from due;

-- name: gift_cards(before, limit_to)
select value_id as gift_card_id, last4, initial, balance, currency, status, expires_at, made_at
from payments.stored_value
where kind = 'gift_card' and (:before::bigint is null or value_id < :before)
order by value_id desc limit :limit_to;

-- name: set_gift_card_status(value_id, status)
update payments.stored_value set status = :status where value_id = :value_id and kind = 'gift_card'
returning value_id as gift_card_id, last4, initial, balance, currency, status, expires_at, made_at;

-- name: gift_card_of(code_hash, now)
select value_id, kind, last4, balance, currency, status, expires_at,
    status = 'active' and coalesce(expires_at > :now, true) as usable
from payments.stored_value where code_hash = :code_hash;

-- name: spendable(value_ids, user_ids, now)
select value_id, kind, last4, balance, currency, user_id,
    status = 'active' and coalesce(expires_at > :now, true) as usable
from payments.stored_value
where value_id = any (:value_ids::bigint[]) or user_id = any (:user_ids::bigint[]);

-- name: begin_store_credit(value_id, user_id, currency, now)
insert into payments.stored_value (value_id, kind, user_id, balance, currency, made_at)
values (:value_id, 'store_credit', :user_id, 0, :currency, :now)
on conflict (user_id) do nothing;

-- name: grant_store_credit(user_id, reference, amount, note, now)
-- What is granted, or with a negative amount taken, once a reference; the constraint refuses to take what is not there.
with moved as (
    insert into payments.value_movement (reference, kind, value_id, amount, note, at)
    select :reference, 'issued', value_id, :amount, :note, :now from payments.stored_value where user_id = :user_id
    on conflict do nothing
    returning value_id
), granted as (
    update payments.stored_value v set balance = v.balance + :amount from moved where v.value_id = moved.value_id
    returning v.currency
)
insert into payments.entry (kind, reference, currency, accounts, amounts)
select 'issued', :reference, currency, array['credit_issued', 'store_credit'], array[:amount::bigint, -:amount::bigint]
from granted;

-- name: store_credit(user_id)
select balance, currency from payments.stored_value where user_id = :user_id;

-- name: store_credit_entries(user_id, limit_to)
select m.at, m.kind, m.amount, m.note
from payments.value_movement m join payments.stored_value v using (value_id)
where v.user_id = :user_id order by m.at desc, m.reference desc limit :limit_to;

-- name: hold_values(checkout_ids, value_ids, payment_ids, places, amounts, now)
-- Holds what gift cards and store credit pay of each checkout, all of it or nothing. Values are locked in one sorted
-- order; who stands later in the set has what those before left. What was held, or given back, before stays as it is.
with asked as materialized (
    select a.* from unnest(:checkout_ids::bigint[], :value_ids::bigint[], :payment_ids::bigint[], :places::smallint[],
        :amounts::bigint[]) with ordinality as a (checkout_id, value_id, payment_id, place, amount, turn)
    where not exists (select from payments.tender t where t.checkout_id = a.checkout_id)
), locked as materialized (
    select value_id, balance, status = 'active' and coalesce(expires_at > :now, true) as usable
    from payments.stored_value where value_id = any (:value_ids) order by value_id for update
), summed as materialized (
    select a.*, coalesce(l.usable and sum(a.amount) over (partition by a.value_id order by a.turn) <= l.balance, false)
        as fits
    from asked a left join locked l using (value_id)
), whole as (
    select checkout_id from summed group by checkout_id having bool_and(fits)
), held as (
    insert into payments.tender (checkout_id, value_id, payment_id, place, amount, state, at)
    select s.checkout_id, s.value_id, s.payment_id, s.place, s.amount, 'held', :now
    from summed s join whole using (checkout_id) order by s.checkout_id, s.value_id
    on conflict do nothing
    returning checkout_id, value_id, amount
), drawn as (
    update payments.stored_value v set balance = v.balance - h.amount
    from (select value_id, sum(amount)::bigint as amount from held group by 1) h where v.value_id = h.value_id
), moved as (
    insert into payments.value_movement (reference, kind, value_id, amount, at)
    select checkout_id, 'held', value_id, -amount, :now from held
)
select distinct checkout_id from held;

-- name: tenders_standing(checkout_ids)
select checkout_id from payments.tender where checkout_id = any (:checkout_ids::bigint[])
group by checkout_id having bool_and(state <> 'given_back');

-- name: take_values(checkout_ids)
update payments.tender set state = 'taken' where checkout_id = any (:checkout_ids::bigint[]) and state = 'held'
returning checkout_id, amount;

-- name: tenders_held(checkout_id)
select t.value_id, v.kind, t.amount from payments.tender t join payments.stored_value v using (value_id)
where t.checkout_id = :checkout_id and t.state = 'held' order by t.place;

-- name: give_back_values(checkout_ids, value_ids, payment_ids, places, amounts, now)
-- What is held goes back; where nothing was held yet there is a tombstone, and never will be.
with locked as materialized (
    select value_id from payments.stored_value where value_id = any (:value_ids::bigint[]) order by value_id for update
), marked as (
    insert into payments.tender as t (checkout_id, value_id, payment_id, place, amount, state, at)
    select c, v, p, n, a, 'given_back', :now
    from unnest(:checkout_ids::bigint[], :value_ids, :payment_ids::bigint[], :places::smallint[], :amounts::bigint[])
        as u (c, v, p, n, a)
    where (select count(*) from locked) >= 0
    order by c, v
    on conflict (checkout_id, value_id) do update set state = 'given_back' where t.state = 'held'
    returning t.checkout_id, t.value_id, t.amount, old.state as before
), back as (
    update payments.stored_value v set balance = v.balance + m.amount
    from (select value_id, sum(amount)::bigint as amount from marked where before = 'held' group by 1) m
    where v.value_id = m.value_id
)
insert into payments.value_movement (reference, kind, value_id, amount, at)
select checkout_id, 'given_back', value_id, amount, :now from marked where before = 'held';

-- name: tenders_of(checkout_id)
select t.value_id, v.kind, t.amount - t.refunded as remaining
from payments.tender t join payments.stored_value v using (value_id)
where t.checkout_id = :checkout_id and t.state = 'taken' order by t.place;

-- name: count_refunded(checkout_id, value_ids, amounts)
update payments.tender t set refunded = t.refunded + a.amount
from unnest(:value_ids::bigint[], :amounts::bigint[]) as a (value_id, amount)
where t.checkout_id = :checkout_id and t.value_id = a.value_id;

-- name: store_credit_id(user_id)
select value_id from payments.stored_value where user_id = :user_id;

-- name: return_values(refund_id, value_ids, amounts, now)
-- What of a refund goes to gift cards and store credit.
with locked as materialized (
    select value_id from payments.stored_value where value_id = any (:value_ids::bigint[]) order by value_id for update
), back as (
    update payments.stored_value v set balance = v.balance + a.amount
    from unnest(:value_ids, :amounts::bigint[]) as a (value_id, amount)
    where v.value_id = a.value_id and (select count(*) from locked) >= 0
    returning v.value_id, a.amount
)
insert into payments.value_movement (reference, kind, value_id, amount, at)
select :refund_id, 'refunded', value_id, amount, :now from back;

-- name: booked(order_ids)
-- What the journal says of orders: the captures by account, and refunds with when they were paid, and came back.
select p.order_id, p.parts::text, e.accounts, e.amounts,
    coalesce((select json_agg(json_build_object('refund_id', r.refund_id, 'reference', r.reference,
        'amount', r.amount, 'paid_at', b.at, 'came_back_at', c.at, 'came_back', coalesce(c.amounts[1], 0))
        order by r.refund_id)
        from payments.refund r
        join payments.entry b on b.reference = r.refund_id and b.kind = 'paid_back'
        left join payments.entry c on c.reference = r.refund_id and c.kind = 'came_back'
        where r.payment_id = p.payment_id), '[]')::text as refunds
from payments.payment p join payments.entry e on e.reference = p.checkout_id and e.kind = 'capture'
where p.order_id = any(:order_ids::bigint[]) and p.status = 'captured'
order by p.payment_id;

-- name: commission_rules
select r.seller_id, r.category_id, r.rate_ppm, r.fee from payments.commission_rule r order by r.place;

-- name: commission_version
select version from payments.commission_list;

-- name: next_commission_version(version)
-- Nothing where somebody else changed the list since that version; without one it is not asked.
update payments.commission_list set version = version + 1 where :version::integer is null or version = :version
returning version;

-- name: clear_commission_rules
delete from payments.commission_rule;

-- name: add_commission_rules(seller_ids, category_ids, rates, fees)
insert into payments.commission_rule (place, seller_id, category_id, rate_ppm, fee)
select n, seller_id, category_id, rate, fee
from unnest(:seller_ids::bigint[], :category_ids::bigint[], :rates::integer[], :fees::bigint[]) with ordinality
    as a (seller_id, category_id, rate, fee, n);

-- name: captures_of(checkout_ids)
-- Of these those whose lines are not there yet; each by its key, however the tables grew since they were analysed.
select p.order_id, p.checkout_id, p.currency, p.parts::text, p.kept::text, e.accounts, e.amounts, e.at
from unnest(:checkout_ids::bigint[]) as a (checkout_id)
cross join lateral (
    select p.order_id, p.checkout_id, p.currency, p.parts, p.kept from payments.payment p
    where p.checkout_id = a.checkout_id limit 1
) p
cross join lateral (
    select e.accounts, e.amounts, e.at from payments.entry e
    where e.reference = a.checkout_id and e.kind = 'capture' limit 1
) e
left join lateral (
    select true as booked from payments.earning e
    where e.order_id = p.order_id and e.reference = a.checkout_id limit 1
) b on true
where b.booked is null;

-- name: book_earnings(order_ids, seller_ids, entry_references, currencies, kinds, amounts, times)
-- What is booked already stays as it is. The arrays of each are array literals.
insert into payments.earning (order_id, seller_id, reference, currency, kinds, amounts, at)
select order_id, seller_id, reference, currency, kinds::text[], amounts::bigint[], at
from unnest(:order_ids::bigint[], :seller_ids::bigint[], :entry_references::bigint[], :currencies::text[],
    :kinds::text[], :amounts::text[], :times::timestamptz[])
    as a (order_id, seller_id, reference, currency, kinds, amounts, at)
order by order_id, seller_id, reference
on conflict do nothing;

-- name: not_earned(order_ids, checkout_ids)
-- Purchases of which sellers have no lines: a worker of an earlier release captured them.
select a.checkout_id from unnest(:order_ids::bigint[], :checkout_ids::bigint[]) as a (order_id, checkout_id)
left join lateral (
    select true as booked from payments.earning e
    where e.order_id = a.order_id and e.reference = a.checkout_id limit 1
) e on true
where e.booked is null;

-- name: release_parts(order_ids, seller_ids, times)
-- From when on money may be paid out is said once.
insert into payments.seller_part as p (order_id, seller_id, available_at)
select distinct on (order_id, seller_id) order_id, seller_id, at
from unnest(:order_ids::bigint[], :seller_ids::bigint[], :times::timestamptz[]) as a (order_id, seller_id, at)
order by order_id, seller_id, at
on conflict (order_id, seller_id) do update set available_at = excluded.available_at where p.available_at is null;

-- name: begin_payees(seller_ids)
insert into payments.payee (seller_id)
select seller_id from unnest(:seller_ids::bigint[]) as a (seller_id)
where not exists (select from payments.payee p where p.seller_id = a.seller_id)
order by seller_id
on conflict do nothing;

-- name: lock_payees(seller_ids)
-- In one order. Who pays out and who holds back go one after the other.
select seller_id from payments.payee where seller_id = any(:seller_ids::bigint[]) order by seller_id for update;

-- name: open_returns(return_ids, order_ids, seller_ids)
insert into payments.open_return (return_id, order_id, seller_id)
select return_id, order_id, seller_id
from unnest(:return_ids::bigint[], :order_ids::bigint[], :seller_ids::bigint[]) as a (return_id, order_id, seller_id)
order by return_id
on conflict do nothing;

-- name: end_returns(return_ids)
update payments.open_return set ended = true where return_id = any(:return_ids::bigint[]) and not ended;

-- name: hold_parts(order_ids, seller_ids)
-- A part is held while a return of it is open.
insert into payments.seller_part as p (order_id, seller_id, held)
select a.order_id, a.seller_id, exists (select from payments.open_return r
    where r.order_id = a.order_id and r.seller_id = a.seller_id and not r.ended)
from (
    select distinct order_id, seller_id from unnest(:order_ids::bigint[], :seller_ids::bigint[]) as u (order_id, seller_id)
    order by 1, 2
) a
on conflict (order_id, seller_id) do update set held = excluded.held;

-- name: reserve_paid(return_ids, now)
-- Of a part that was paid out already so much is held back from what comes next; given back when its returns are over.
with worth as (
    select r.return_id, r.order_id, r.seller_id, l.currency, sum(l.amount)::bigint as amount
    from payments.open_return r join payments.seller_line l using (order_id, seller_id)
    where r.return_id = any(:return_ids::bigint[]) and not r.ended and l.payout_id is not null
        and l.kind not in ('reserve', 'release')
        and not exists (select from payments.earning h where h.order_id = r.order_id and h.seller_id = r.seller_id
            and h.release and h.payout_id is null)
    group by 1, 2, 3, 4
), once as (
    select distinct on (order_id, seller_id) * from worth where amount > 0 order by order_id, seller_id, return_id
)
insert into payments.earning (order_id, seller_id, reference, release, currency, kinds, amounts, at)
select order_id, seller_id, return_id, kind = 'release', currency, array[kind], array[amount * sign], :now
from once, (values ('reserve', -1), ('release', 1)) as two (kind, sign)
on conflict do nothing;

-- name: seller_balances(seller_ids, currency, now)
select l.seller_id,
    coalesce(sum(l.amount) filter (where s.state = 'pending'), 0)::bigint as pending,
    coalesce(sum(l.amount) filter (where s.state = 'available'), 0)::bigint as available,
    coalesce(sum(l.amount) filter (where s.state = 'reserved'), 0)::bigint as reserved
from payments.seller_line l left join payments.seller_part p using (order_id, seller_id)
cross join lateral (select payments.state_of(l.kind, l.order_id, p.held, p.available_at, :now) as state) s
where l.payout_id is null and l.seller_id = any(:seller_ids::bigint[]) and l.currency = :currency
group by 1;

-- name: unpaid_lines(seller_id, currency, now, state, after, limit_to)
-- What was not paid out yet, the newest first.
select l.line_id, l.kind, nullif(l.order_id, 0) as order_id, l.reference, l.amount, l.currency, l.at, s.state
from payments.seller_line l left join payments.seller_part p using (order_id, seller_id)
cross join lateral (select payments.state_of(l.kind, l.order_id, p.held, p.available_at, :now) as state) s
where l.payout_id is null and l.seller_id = :seller_id and l.currency = :currency
    and (:state::text is null or s.state = :state)
    and (:after::bigint is null or l.earning_id <= :after / 16 and l.line_id < :after)
order by l.earning_id desc, l.line_id desc limit :limit_to;

-- name: due_payouts(currency, now, seller_id, after, limit_to)
-- What is available to the next sellers who have anything that was not paid out, and whether they can be paid. Sellers
-- are found by steps through the index, so that a page costs what its own lines cost.
with recursive page as (
    select (select min(e.seller_id) from payments.earning e where e.payout_id is null and e.seller_id > :after
        and (:seller_id::bigint is null or e.seller_id = :seller_id)) as seller_id, 1 as n
    union all
    select (select min(e.seller_id) from payments.earning e where e.payout_id is null and e.seller_id > page.seller_id
        and (:seller_id is null or e.seller_id = :seller_id)), n + 1
    from page where page.seller_id is not null and n < :limit_to
)
select s.seller_id, d.amount, y.destination, coalesce(y.refused, false) as refused,
    coalesce(y.suspended, false) as suspended
from page s
cross join lateral (
    select coalesce(sum(l.amount), 0)::bigint as amount
    from payments.seller_line l left join payments.seller_part p using (order_id, seller_id)
    where l.seller_id = s.seller_id and l.payout_id is null and l.currency = :currency
        and payments.state_of(l.kind, l.order_id, p.held, p.available_at, :now) = 'available'
) d
left join payments.payee y on y.seller_id = s.seller_id
where s.seller_id is not null order by s.seller_id;

-- name: pay_out(payout_id, seller_id, run, currency, destination, account, now)
-- Takes what is available now, as one payout with its entry. The payee's row is locked; who takes less than there must
-- be rolls it back.
with rows as (
    update payments.earning t set payout_id = :payout_id
    from (
        select e.order_id, e.seller_id, e.reference, e.release
        from payments.earning e left join payments.seller_part p using (order_id, seller_id)
        where e.seller_id = :seller_id and e.payout_id is null and e.currency = :currency
            and payments.state_of(e.kinds[1], e.order_id, p.held, p.available_at, :now) = 'available'
    ) a
    where t.order_id = a.order_id and t.seller_id = a.seller_id and t.reference = a.reference
        and t.release = a.release and t.payout_id is null
    returning t.kinds, t.amounts
), taken as (
    select l.amount, l.kind from rows, unnest(kinds, amounts) as l (kind, amount)
), beside as (
    select coalesce(sum(amount) filter (where kind = 'delivery'), 0)::bigint as delivery,
        coalesce(sum(amount) filter (where kind = 'tax'), 0)::bigint as tax
    from taken
), made as (
    insert into payments.payout (payout_id, seller_id, run, amount, currency, destination, account, made_at)
    select :payout_id, :seller_id, :run, sum(amount), :currency, :destination, :account, :now from taken
    having sum(amount) > 0
    returning payout_id, seller_id, amount, currency
), booked as (
    insert into payments.entry (kind, reference, currency, accounts, amounts)
    select 'payout', m.payout_id, m.currency, array['payouts', 'seller:' || m.seller_id, 'delivery:' || m.seller_id]
            || case when b.tax <> 0 then array['tax:' || m.seller_id] else '{}' end,
        array[-m.amount, m.amount - b.delivery - b.tax, b.delivery]
            || case when b.tax <> 0 then array[b.tax] else '{}' end
    from made m, beside b
)
select amount from made;

-- name: has_payout(seller_id, run)
select exists (select from payments.payout where seller_id = :seller_id and run = :run);

-- name: payout(payout_id, seller_id)
select payout_id, seller_id, run, status, amount, currency, account, reason, made_at, ended_at
from payments.payout where payout_id = :payout_id and (:seller_id::bigint is null or seller_id = :seller_id);

-- name: payouts(seller_id, status, after, limit_to)
select payout_id, seller_id, run, status, amount, currency, account, reason, made_at, ended_at
from payments.payout
where (:seller_id::bigint is null or seller_id = :seller_id) and (:status::text is null or status = :status)
    and (:after::bigint is null or payout_id < :after)
order by payout_id desc limit :limit_to;

-- name: payouts_of_run(run)
select payout_id, seller_id, run, status, amount, currency, account, reason, made_at, ended_at
from payments.payout where run = :run order by payout_id;

-- name: payout_counts(seller_id)
select status, count(*) as payouts from payments.payout
where :seller_id::bigint is null or seller_id = :seller_id group by 1;

-- name: pending_payouts(after, limit_to)
select payout_id, seller_id, amount, currency, destination from payments.payout
where status = 'pending' and payout_id > :after order by payout_id limit :limit_to;

-- name: statement_totals(payout_id)
select kind, sum(amount)::bigint as amount, count(*) as lines
from payments.seller_line where payout_id = :payout_id group by 1 order by 1;

-- name: statement_lines(payout_id, seller_id, after, limit_to)
-- Of a seller, theirs alone.
select line_id, kind, nullif(order_id, 0) as order_id, reference, amount, currency, at
from payments.seller_line
where payout_id = :payout_id and (:seller_id::bigint is null or seller_id = :seller_id)
    and earning_id >= :after::bigint / 16 and line_id > :after
order by earning_id, line_id limit :limit_to;

-- name: finish_payout(payout_id, transfer, now)
-- Once, whoever says so: the transfer is booked and told with it.
with done as (
    update payments.payout set status = 'paid', transfer = :transfer, ended_at = :now
    where payout_id = :payout_id and status = 'pending'
    returning *
), booked as (
    insert into payments.entry (kind, reference, currency, accounts, amounts)
    select 'paid_out', payout_id, currency, array['payouts', 'provider'], array[amount, -amount] from done
)
select events.tell('PayoutPaid', jsonb_build_object('event', 'PayoutPaid', 'payout_id', payout_id, 'seller_id', seller_id,
    'amount', amount, 'currency', currency, 'account', account)) from done;

-- name: fail_payout(payout_id, reason, now)
-- The bank did not take it: the money is the seller's again, available, and waits for another account.
with failed as (
    update payments.payout set status = 'failed', reason = :reason, ended_at = :now
    where payout_id = :payout_id and status = 'pending'
    returning *
), booked as (
    insert into payments.entry (kind, reference, currency, accounts, amounts)
    select 'payout_failed', payout_id, currency, array['payouts', 'seller:' || seller_id], array[amount, -amount]
    from failed
), back as (
    insert into payments.earning (order_id, seller_id, reference, currency, kinds, amounts, at)
    select 0, seller_id, payout_id, currency, array['payout_failed'], array[amount], :now from failed
), refused as (
    update payments.payee y set refused = true from failed f
    where y.seller_id = f.seller_id and y.destination = f.destination
)
select events.tell('PayoutFailed', jsonb_build_object('event', 'PayoutFailed', 'payout_id', payout_id, 'seller_id',
    seller_id, 'amount', amount, 'currency', currency, 'account', account, 'reason', reason)) from failed;

-- name: payout_account(seller_id)
select holder, account, bank, destination is not null as ready, refused, changed_at from payments.payee
where seller_id = :seller_id;

-- name: payout_destination(seller_id)
select destination, account, refused or suspended as waits from payments.payee where seller_id = :seller_id;

-- name: suspend_payees(seller_ids, suspended, versions)
insert into payments.payee as y (seller_id, suspended, version)
select distinct on (seller_id) seller_id, suspended, version
from unnest(:seller_ids::bigint[], :suspended::boolean[], :versions::integer[]) as a (seller_id, suspended, version)
order by seller_id, version desc
on conflict (seller_id) do update set suspended = excluded.suspended, version = excluded.version
    where y.version < excluded.version;

-- name: set_payout_account(seller_id, holder, account, bank, destination, now)
insert into payments.payee (seller_id, holder, account, bank, destination, changed_at)
values (:seller_id, :holder, :account, :bank, :destination, :now)
on conflict (seller_id) do update set holder = excluded.holder, account = excluded.account, bank = excluded.bank,
    destination = excluded.destination, changed_at = excluded.changed_at, refused = false;

-- name: try_payee_again(seller_id)
update payments.payee set refused = false where seller_id = :seller_id and refused;

-- name: claim_payout_run(run, now, until)
-- The fence of who carries it out; nothing where it is over, or another has its lease.
insert into payments.payout_run as r (run, begun_at, lease_until) values (:run, :now, :until)
on conflict (run) do update set lease_until = excluded.lease_until, fence = r.fence + 1
    where r.done_at is null and r.lease_until < :now
returning fence;

-- name: keep_payout_run(run, fence, until)
update payments.payout_run set lease_until = :until where run = :run and fence = :fence and done_at is null returning run;

-- name: finish_payout_run(run, fence, now)
update payments.payout_run set done_at = :now where run = :run and fence = :fence and done_at is null returning run;

-- name: sandbox_pay(payout_id, amount, currency, destination, state)
insert into payments.sandbox_transfer (key, amount, currency, destination, state)
values (:payout_id, :amount, :currency, :destination, :state) on conflict do nothing;

-- name: sandbox_transfer(payout_id)
select state from payments.sandbox_transfer where key = :payout_id;

-- name: filled_until
-- Up to which payment of an earlier release lines were written; nothing once all have been.
select after from payments.filled where not done;

-- name: payments_to_fill(after, limit_to)
select payment_id, order_id, checkout_id, refunded = amount as is_undone from payments.payment
where payment_id > :after and status = 'captured' order by payment_id limit :limit_to;

-- name: refunds_of(order_ids)
-- Every refund of these orders as it was booked, the earliest first.
select r.refund_id, r.parts::text as refund_parts, f.accounts as refund_accounts, f.amounts as refund_amounts,
    f.at as refund_at, p.payment_id, p.order_id, p.currency, p.parts::text, p.kept::text, e.accounts, e.amounts
from payments.payment p
join payments.entry e on e.reference = p.checkout_id and e.kind = 'capture'
join payments.refund r using (payment_id)
join payments.entry f on f.reference = r.refund_id and f.kind = 'refund'
where p.order_id = any(:order_ids::bigint[]) and p.status = 'captured' order by p.payment_id, r.refund_id;

-- name: release_orders(order_ids, now)
-- Orders of which everything was paid back wait for nothing.
insert into payments.seller_part as p (order_id, seller_id, available_at)
select distinct e.order_id, e.seller_id, :now::timestamptz from payments.earning e
where e.order_id = any(:order_ids::bigint[]) order by 1, 2
on conflict (order_id, seller_id) do update set available_at = excluded.available_at where p.available_at is null;

-- name: set_filled(before, after, done)
update payments.filled set after = :after, done = :done where after = :before and not done;

-- name: refunds_without_lines(refund_ids)
select p.checkout_id from payments.refund r join payments.payment p using (payment_id)
where r.refund_id = any(:refund_ids::bigint[]) and not exists (
    select from payments.earning e where e.order_id = p.order_id and e.reference = r.refund_id);
