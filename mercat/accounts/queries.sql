-- name: open(user_id, email, name, password, roles, link_id, expires_at)
with opened as (
    insert into accounts.person (user_id, email, name, password, roles)
    values (:user_id, :email, :name, :password, :roles)
    on conflict (lower(email)) do nothing
    returning user_id, email, name
), link as (
    insert into accounts.link (link_id, kind, user_id, email, expires_at)
    select :link_id::bigint, 'email', user_id, email, :expires_at::timestamptz from opened
)
select user_id, events.tell('AccountOpened', jsonb_build_object('event', 'AccountOpened', 'user_id', user_id,
    'email', email, 'name', name, 'link_id', :link_id)) as told
from opened;

-- name: invite(user_ids, emails, names, opened_at, link_ids, expires_at)
-- Accounts without a password; who has the address already is left as they are.
with opened as (
    insert into accounts.person (user_id, email, name, password, opened_at)
    select user_id, email, name, '', coalesce(at, now())
    from unnest(:user_ids::bigint[], :emails::text[], :names::text[], :opened_at::timestamptz[])
        as p (user_id, email, name, at) order by lower(email)
    on conflict (lower(email)) do nothing
    returning user_id, email, name
), link as (
    insert into accounts.link (link_id, kind, user_id, email, expires_at)
    select l.link_id, 'reset', o.user_id, o.email, :expires_at::timestamptz
    from opened o join unnest(:user_ids, :link_ids::bigint[]) as l (user_id, link_id) using (user_id)
    returning link_id, user_id
)
select o.user_id, events.tell('PersonInvited', jsonb_build_object('event', 'PersonInvited', 'user_id', o.user_id,
    'email', o.email, 'name', o.name, 'link_id', l.link_id)) as told
from opened o join link l using (user_id);

-- name: tell_owner(email, notice_id)
-- Writes to who has an account with this address that somebody tried to open another.
select events.tell('AccountOpenedAgain', jsonb_build_object('event', 'AccountOpenedAgain', 'notice_id',
    :notice_id::bigint, 'user_id', user_id, 'email', email, 'name', name)) as told
from accounts.person where lower(email) = lower(:email);

-- name: ask_reset(link_id, email, now, expires_at)
-- The same writes whether or not somebody has the address, so that the time does not tell.
with swept as (
    delete from accounts.link where expires_at < :now
), person as (
    select user_id, email, name from accounts.person where lower(email) = lower(:email)
), asked as (
    insert into accounts.link (link_id, kind, user_id, email, expires_at)
    values (:link_id::bigint, 'reset', (select user_id from person), :email, :expires_at)
    returning link_id
)
select events.tell('PasswordResetAsked', jsonb_build_object('event', 'PasswordResetAsked', 'link_id', link_id,
    'user_id', user_id, 'email', person.email, 'name', name)) as told
from person cross join asked;

-- name: person_of_link(link_id, kind, now)
select p.user_id, p.email, p.name
from accounts.link l
join accounts.person p using (user_id)
where l.link_id = :link_id and l.kind = :kind and l.expires_at > :now;

-- name: reset_password(link_id, password, now, notice_id)
-- Who read the letter has the address, so it is confirmed. All other links end.
with link as (
    delete from accounts.link where link_id = :link_id and kind = 'reset' and expires_at > :now
    returning user_id, email
), others as (
    delete from accounts.link l using link where l.user_id = link.user_id and l.link_id <> :link_id
), changed as (
    update accounts.person p set password = :password,
        email_verified_at = case when lower(p.email) = lower(link.email) then coalesce(p.email_verified_at, :now)
            else p.email_verified_at end
    from link where p.user_id = link.user_id
    returning p.user_id, p.email, p.name
)
select user_id, events.tell('SignInChanged', jsonb_build_object('event', 'SignInChanged', 'notice_id',
    :notice_id::bigint, 'user_id', user_id, 'email', email, 'name', name)) as told
from changed;

-- name: change_password(user_id, former, password, notice_id)
with changed as (
    update accounts.person set password = :password where user_id = :user_id and password = :former
    returning user_id, email, name
), links as (
    delete from accounts.link using changed where link.user_id = changed.user_id
)
select user_id, events.tell('SignInChanged', jsonb_build_object('event', 'SignInChanged', 'notice_id',
    :notice_id::bigint, 'user_id', user_id, 'email', email, 'name', name)) as told
from changed;

-- name: rename(user_id, name)
update accounts.person set name = :name where user_id = :user_id
returning user_id, email, name, roles, seller_id;

-- name: has_email(email)
select exists (select from accounts.person where lower(email) = lower(:email));

-- name: ask_confirmation(user_id, link_id, email, expires_at)
-- A link to another address than this one ends: it may have been a slip of the hand.
with person as (
    select user_id, name from accounts.person where user_id = :user_id
), former as (
    delete from accounts.link where user_id = :user_id and kind = 'email' and lower(email) <> lower(:email)
), asked as (
    insert into accounts.link (link_id, kind, user_id, email, expires_at)
    select :link_id::bigint, 'email', user_id, :email, :expires_at from person
    returning link_id, email
)
select events.tell('EmailConfirmationAsked', jsonb_build_object('event', 'EmailConfirmationAsked', 'link_id',
    link_id, 'user_id', user_id, 'email', asked.email, 'name', name)) as told
from person cross join asked;

-- name: tell_former_address(user_id, new_email, notice_id)
select events.tell('SignInChanged', jsonb_build_object('event', 'SignInChanged', 'notice_id', :notice_id::bigint,
    'user_id', user_id, 'email', email, 'name', name, 'new_email', :new_email::text)) as told
from accounts.person where user_id = :user_id;

-- name: to_confirm(user_id, now)
-- The address that waits for its confirmation: the next one, or the present one until it has been confirmed.
select coalesce(
    (select l.email from accounts.link l
     where l.user_id = p.user_id and l.kind = 'email' and l.expires_at > :now and lower(l.email) <> lower(p.email)
     order by l.link_id desc limit 1),
    case when p.email_verified_at is null then p.email end)
from accounts.person p
where p.user_id = :user_id;

-- name: confirm_email(link_id, now)
with link as (
    delete from accounts.link where link_id = :link_id and kind = 'email' and expires_at > :now
    returning user_id, email
), others as (
    delete from accounts.link l using link where l.user_id = link.user_id and l.link_id <> :link_id
)
update accounts.person p set email = link.email, email_verified_at = :now
from link where p.user_id = link.user_id
returning p.user_id, p.email, p.name, p.roles, p.seller_id;

-- name: by_email(email)
select user_id, email, name, password, roles, seller_id from accounts.person where lower(email) = lower(:email);

-- name: by_id(user_id)
select user_id, email, name, password, roles, seller_id, email_verified_at, opened_at, disabled_at
from accounts.person where user_id = :user_id;

-- name: hold_person(user_id)
select user_id, email, name, password, roles, seller_id, email_verified_at, opened_at, disabled_at
from accounts.person where user_id = :user_id for no key update;

-- name: contacts(user_ids)
-- Who is disabled is written to as a seller alone: their goods may still be on sale.
select user_id, email from accounts.person
where user_id = any(:user_ids::bigint[]) and (disabled_at is null or seller_id is not null)
order by user_id;

-- name: operators
select user_id, email from accounts.person where 'operator' = any(roles) and disabled_at is null order by user_id limit 20;

-- name: claim(guest_id, user_id)
insert into accounts.claimed (guest_id, user_id) values (:guest_id, :user_id) on conflict do nothing;

-- name: was_claimed(guest_id)
select exists (select from accounts.claimed where guest_id = :guest_id);

-- name: guests_of(user_id)
select guest_id from accounts.claimed where user_id = :user_id order by guest_id;

-- name: grant(user_id, role, seller_id)
update accounts.person
set roles = case when :role = any (roles) then roles else roles || :role end, seller_id = coalesce(:seller_id,
    seller_id)
where user_id = :user_id
returning user_id, email, name, roles, seller_id;

-- name: set_operator(user_id, given)
update accounts.person
set roles = case when :given then array_remove(roles, 'operator') || 'operator'::text
    else array_remove(roles, 'operator') end
where user_id = :user_id
returning user_id;

-- name: lock_operators
-- Whoever takes one away holds all of them, in this order.
select user_id from accounts.person where 'operator' = any (roles) and disabled_at is null order by user_id for update;

-- name: disable(user_id, now)
update accounts.person set disabled_at = coalesce(disabled_at, :now) where user_id = :user_id returning user_id;

-- name: enable(user_id)
update accounts.person set disabled_at = null where user_id = :user_id returning user_id;

-- name: end_keys_of(user_id)
delete from accounts.api_key where user_id = :user_id;

-- name: tell_standing(user_id)
select events.tell('StandingChanged', jsonb_build_object('event', 'StandingChanged', 'user_id', :user_id::bigint));

-- name: people(before, most)
select user_id, email, name, roles, seller_id, email_verified_at is not null as email_verified, opened_at as created_at,
    disabled_at
from accounts.person where :before::bigint is null or user_id < :before
order by user_id desc
limit :most;

-- name: exported_people(before, most)
-- With the address that is their default, else their first.
select p.user_id, p.email, p.name, p.roles, p.seller_id, p.email_verified_at is not null as email_verified,
    p.opened_at as created_at, p.disabled_at, coalesce(home.address, '{}')::text as address
from accounts.person p left join lateral (
    select json_strip_nulls(json_build_object('name', a.name, 'line1', a.line1, 'line2', a.line2, 'city', a.city,
        'region', a.region, 'postal_code', a.postal_code, 'country', a.country, 'phone', a.phone)) as address
    from accounts.address a left join accounts.choice c on c.user_id = p.user_id
    where a.user_id = p.user_id
    order by a.address_id = c.address_id desc nulls last, a.address_id limit 1) home on true
where p.user_id < coalesce(:before::bigint, 9223372036854775807)
order by p.user_id desc limit :most;

-- name: people_seldom(which, before, most)
-- Of these there are few: the index has them alone.
select user_id, email, name, roles, seller_id, email_verified_at is not null as email_verified, opened_at as created_at,
    disabled_at
from accounts.person
where (disabled_at is not null or seller_id is not null or 'operator' = any (roles))
    and case :which::text when 'disabled' then disabled_at is not null when 'sellers' then seller_id is not null
        else 'operator' = any (roles) end
    and (:before::bigint is null or user_id < :before)
order by user_id desc
limit :most;

-- name: people_like(words, which, before, most)
-- The index of words first: walking everybody from the newest takes long where few are meant.
with meant as materialized (
    select user_id from accounts.person where accounts.words(name, email) @@ :words::tsquery
)
select p.user_id, p.email, p.name, p.roles, p.seller_id, p.email_verified_at is not null as email_verified,
    p.opened_at as created_at, p.disabled_at
from meant join accounts.person p using (user_id)
where case :which::text when 'disabled' then p.disabled_at is not null when 'sellers' then p.seller_id is not null
        when 'operators' then 'operator' = any (p.roles) else true end
    and (:before::bigint is null or p.user_id < :before)
order by p.user_id desc
limit :most;

-- name: one_person(user_id, which, before)
select user_id, email, name, roles, seller_id, email_verified_at is not null as email_verified, opened_at as created_at,
    disabled_at
from accounts.person
where user_id = :user_id and (:before::bigint is null or user_id < :before)
    and case :which::text when 'disabled' then disabled_at is not null when 'sellers' then seller_id is not null
        when 'operators' then 'operator' = any (roles) else true end;

-- name: people_counts
select count(*) filter (where 'operator' = any (roles)) as operators,
    count(*) filter (where seller_id is not null) as sellers, count(*) filter (where disabled_at is not null) as disabled
from accounts.person where disabled_at is not null or seller_id is not null or 'operator' = any (roles);

-- name: add_addresses(user_ids, address_ids, names, line1s, line2s, cities, regions, postal_codes, countries, phones,
--     vat_numbers)
insert into accounts.address (user_id, address_id, name, line1, line2, city, region, postal_code, country, phone,
    vat_number)
select u, a, n, l1, l2, c, r, p, co, ph, v
from (
    select *, row_number() over (partition by u order by a) as nth
    from unnest(:user_ids::bigint[], :address_ids::bigint[], :names::text[], :line1s::text[], :line2s::text[],
        :cities::text[], :regions::text[], :postal_codes::text[],
        :countries::text[], :phones::text[], :vat_numbers::text[]) as x (u, a, n, l1, l2, c, r, p, co, ph, v)
) as asked
where (select count(*) from accounts.address b where b.user_id = u) + nth <= 50
returning address_id;

-- name: addresses(user_id)
select a.address_id, a.name, a.line1, a.line2, a.city, a.region, a.postal_code, a.country, a.phone, a.vat_number,
    a.address_id = coalesce(c.address_id, 0) as default
from accounts.address a
left join accounts.choice c on c.user_id = :user_id
where a.user_id = :user_id or a.user_id in (select guest_id from accounts.claimed where user_id = :user_id)
order by a.address_id;

-- name: lock_address(user_id, address_id)
select a.address_id, a.name, a.line1, a.line2, a.city, a.region, a.postal_code, a.country, a.phone, a.vat_number
from accounts.address a
where a.address_id = :address_id
    and (a.user_id = :user_id or a.user_id in (select guest_id from accounts.claimed where user_id = :user_id))
for update;

-- name: change_address(address_id, name, line1, line2, city, region, postal_code, country, phone, vat_number)
-- Whose it is was decided by the lock.
update accounts.address set name = :name, line1 = :line1, line2 = :line2, city = :city, region = :region,
    postal_code = :postal_code, country = :country, phone = :phone, vat_number = :vat_number
where address_id = :address_id;

-- name: remove_address(user_id, address_id)
delete from accounts.address a
where a.address_id = :address_id
    and (a.user_id = :user_id or a.user_id in (select guest_id from accounts.claimed where user_id = :user_id))
returning a.address_id;

-- name: choose_address(user_id, address_id)
insert into accounts.choice as c (user_id, address_id)
select :user_id, a.address_id from accounts.address a
where a.address_id = :address_id
    and (a.user_id = :user_id or a.user_id in (select guest_id from accounts.claimed where user_id = :user_id))
on conflict (user_id) do update set address_id = excluded.address_id;

-- name: choose_no_address(user_id, address_id)
update accounts.choice set address_id = null where user_id = :user_id and address_id = :address_id;

-- name: add_payment_methods(user_ids, method_ids, tokens, brands, last4s, once_flags)
insert into accounts.payment_method (user_id, payment_method_id, token, brand, last4, once)
select u, p, t, b, l, o
from (
    select *, row_number() over (partition by u, o order by p) as nth
    from unnest(:user_ids::bigint[], :method_ids::bigint[], :tokens::text[], :brands::text[], :last4s::text[],
        :once_flags::boolean[]) as x (u, p, t, b, l, o)
) as asked
where o or (select count(*) from accounts.payment_method m where m.user_id = u and not m.once) + nth <= 50
returning payment_method_id;

-- name: list_payment_methods(user_ids, method_ids)
update accounts.payment_method m set once = false
from unnest(:user_ids::bigint[], :method_ids::bigint[]) as a (user_id, method_id)
where m.user_id = a.user_id and m.payment_method_id = a.method_id and m.once
    and not exists (select from accounts.payment_method k where k.user_id = m.user_id and k.token = m.token and not k.once)
    and (select count(*) from accounts.payment_method k where k.user_id = m.user_id and not k.once) < 50;

-- name: payment_methods(user_id)
select m.payment_method_id, m.token, m.brand, m.last4, m.payment_method_id = coalesce(c.payment_method_id, 0) as default
from accounts.payment_method m
left join accounts.choice c on c.user_id = :user_id
where not m.once
    and (m.user_id = :user_id or m.user_id in (select guest_id from accounts.claimed where user_id = :user_id))
order by m.payment_method_id;

-- name: choose_method(user_id, payment_method_id)
insert into accounts.choice as c (user_id, payment_method_id)
select :user_id, m.payment_method_id from accounts.payment_method m
where m.payment_method_id = :payment_method_id and not m.once
    and (m.user_id = :user_id or m.user_id in (select guest_id from accounts.claimed where user_id = :user_id))
on conflict (user_id) do update set payment_method_id = excluded.payment_method_id;

-- name: choose_no_method(user_id, payment_method_id)
update accounts.choice set payment_method_id = null
where user_id = :user_id and payment_method_id = :payment_method_id;

-- name: remove_method(user_id, payment_method_id)
delete from accounts.payment_method m
where m.payment_method_id = :payment_method_id and not m.once
    and (m.user_id = :user_id or m.user_id in (select guest_id from accounts.claimed where user_id = :user_id))
returning m.token;

-- name: addresses_and_cards(user_ids, address_ids, method_ids)
-- Where it goes and how it is paid, for many people at once; what is another's is not there.
select k.n::int, a.address_id, a.name, a.line1, a.line2, a.city, a.region, a.postal_code, a.country, a.phone, a.vat_number,
    m.payment_method_id, m.token
from unnest(:user_ids::bigint[], :address_ids::bigint[], :method_ids::bigint[]) with ordinality as k (user_id,
    address_id, method_id, n)
left join accounts.address a on a.user_id = k.user_id and a.address_id = k.address_id
left join accounts.payment_method m on m.user_id = k.user_id and m.payment_method_id = k.method_id;

-- name: own_address(user_id, address_id)
select a.address_id, a.name, a.line1, a.line2, a.city, a.region, a.postal_code, a.country, a.phone, a.vat_number
from accounts.address a
where a.address_id = :address_id
    and (a.user_id = :user_id or a.user_id in (select guest_id from accounts.claimed where user_id = :user_id));

-- name: guests_addresses_and_cards(user_ids, address_ids, method_ids)
-- The same of the guests that these people were.
select k.n::int, a.address_id, a.name, a.line1, a.line2, a.city, a.region, a.postal_code, a.country, a.phone, a.vat_number,
    m.payment_method_id, m.token
from unnest(:user_ids::bigint[], :address_ids::bigint[], :method_ids::bigint[]) with ordinality as k (user_id,
    address_id, method_id, n)
left join lateral (
    select b.* from accounts.claimed c join accounts.address b on b.user_id = c.guest_id
    where c.user_id = k.user_id and b.address_id = k.address_id
) a on true
left join lateral (
    select b.* from accounts.claimed c join accounts.payment_method b on b.user_id = c.guest_id
    where c.user_id = k.user_id and b.payment_method_id = k.method_id
) m on true;

-- name: email_of(user_id)
select email from accounts.person where user_id = :user_id;

-- name: begin_second_step(user_id, nonce, digests)
-- Only where none is confirmed; what was begun before it ends.
with begun as (
    insert into accounts.second_step as s (user_id, nonce) values (:user_id, :nonce)
    on conflict (user_id) do update set nonce = excluded.nonce, last_step = 0 where s.confirmed_at is null
    returning user_id
), former as (
    delete from accounts.recovery_code c using begun where c.user_id = begun.user_id
), codes as (
    insert into accounts.recovery_code (user_id, digest)
    select user_id, digest from begun cross join unnest(:digests::bytea[]) as given (digest)
)
select user_id from begun;

-- name: second_step(user_id)
select nonce, confirmed_at from accounts.second_step where user_id = :user_id;

-- name: has_second_step(user_id)
select exists (select from accounts.second_step where user_id = :user_id and confirmed_at is not null);

-- name: confirm_second_step(user_id, nonce, step, now, notice_id)
with confirmed as (
    update accounts.second_step set confirmed_at = :now, last_step = :step
    where user_id = :user_id and nonce = :nonce and confirmed_at is null and last_step < :step
    returning user_id
)
select p.user_id, events.tell('SignInChanged', jsonb_build_object('event', 'SignInChanged', 'notice_id',
    :notice_id::bigint, 'user_id', p.user_id, 'email', p.email, 'name', p.name, 'what', 'two_factor_on')) as told
from confirmed join accounts.person p using (user_id);

-- name: end_second_step(user_id, notice_id)
with ended as (
    delete from accounts.second_step where user_id = :user_id returning user_id
), codes as (
    delete from accounts.recovery_code where user_id = :user_id
)
select events.tell('SignInChanged', jsonb_build_object('event', 'SignInChanged', 'notice_id', :notice_id::bigint,
    'user_id', p.user_id, 'email', p.email, 'name', p.name, 'what', 'two_factor_off')) as told
from ended join accounts.person p using (user_id);

-- name: spend_step(user_id, step)
-- A code is good once, and so is every older one.
update accounts.second_step set last_step = :step
where user_id = :user_id and confirmed_at is not null and last_step < :step
returning user_id;

-- name: spend_recovery_code(user_id, digest)
delete from accounts.recovery_code where user_id = :user_id and digest = :digest returning user_id;

-- name: make_api_key(api_key_id, seller_id, user_id, name, scopes, digest, prefix, now)
-- It waits for who disables its maker at this moment, and is not made then. One that is there already stands, one that
-- ended is not made again.
with standing as (
    select api_key_id from accounts.api_key where seller_id = :seller_id::bigint and digest = :digest
), maker as materialized (
    select p.user_id from accounts.person p where p.user_id = :user_id and p.disabled_at is null for share of p
), made as (
    insert into accounts.api_key as k (api_key_id, seller_id, user_id, name, scopes, digest, prefix, created_at)
    select :api_key_id, :seller_id, m.user_id, :name, :scopes, :digest, :prefix, :now
    from maker m
    where not exists (select from standing)
        and not exists (select from accounts.ended_api_key where digest = :digest)
        and (select count(*) from accounts.api_key where seller_id = :seller_id) < 50
    on conflict (digest) do update set name = excluded.name where k.seller_id = excluded.seller_id
    returning api_key_id
)
select api_key_id from standing union all select api_key_id from made;

-- name: is_ended(digest)
select exists (select from accounts.ended_api_key where digest = :digest);

-- name: api_keys(seller_id)
select api_key_id, name, prefix, scopes, created_at, last_used_at from accounts.api_key
where seller_id = :seller_id
order by api_key_id desc;

-- name: end_api_key(seller_id, api_key_id)
delete from accounts.api_key where seller_id = :seller_id and api_key_id = :api_key_id returning api_key_id;

-- name: seller_with_key(digest, now)
-- The time of its use is noted once a minute. A key ends with the role of who made it.
with used as (
    update accounts.api_key set last_used_at = :now
    where digest = :digest and (last_used_at is null or last_used_at < :now::timestamptz - interval '1 minute')
)
select k.api_key_id, k.seller_id, k.name, k.scopes
from accounts.api_key k
join accounts.person p on p.user_id = k.user_id and p.seller_id = k.seller_id and 'seller' = any (p.roles)
    and p.disabled_at is null
where k.digest = :digest;

-- name: erase(user_id)
-- The tombstones of guests stay: a guest's token must not bring back what was theirs.
with gone as (
    delete from accounts.person where user_id = :user_id returning user_id, email
), people as (
    select user_id from gone
    union all
    select c.guest_id from accounts.claimed c join gone on gone.user_id = c.user_id
), addresses as (
    delete from accounts.address a using people where a.user_id = people.user_id
), methods as (
    delete from accounts.payment_method m using people where m.user_id = people.user_id
), choices as (
    delete from accounts.choice c using people where c.user_id = people.user_id
), links as (
    delete from accounts.link l using gone where l.user_id = gone.user_id or lower(l.email) = lower(gone.email)
), steps as (
    delete from accounts.second_step s using gone where s.user_id = gone.user_id
), codes as (
    delete from accounts.recovery_code c using gone where c.user_id = gone.user_id
), keys as (
    delete from accounts.api_key k using gone where k.user_id = gone.user_id
)
select user_id, events.tell('AccountErased', jsonb_build_object('event', 'AccountErased', 'user_id', user_id,
    'people', (select jsonb_agg(user_id) from people), 'email', email)) as told
from gone;

-- name: erase_guest(guest_id, email)
-- Not one who has an account: that is erased by who signs in. Asked again it is told again, and nothing is left to do.
with gone as (
    insert into accounts.claimed as c (guest_id, user_id)
    select :guest_id::bigint, :guest_id where not exists (select from accounts.person where user_id = :guest_id)
    on conflict (guest_id) do update set user_id = c.user_id where c.user_id = c.guest_id
    returning guest_id
), addresses as (
    delete from accounts.address a using gone where a.user_id = gone.guest_id
), methods as (
    delete from accounts.payment_method m using gone where m.user_id = gone.guest_id
), choices as (
    delete from accounts.choice c using gone where c.user_id = gone.guest_id
)
select guest_id, events.tell('AccountErased', jsonb_build_object('event', 'AccountErased', 'user_id', guest_id,
    'people', jsonb_build_array(guest_id), 'email', :email::text, 'guest', true)) as told
from gone;
