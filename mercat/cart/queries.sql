-- name: keep
insert into cart.copy as c (user_id, cart_id, lines, seq)
select u, i, l::jsonb, s from unnest($1::bigint[], $2::bigint[], $3::text[], $4::bigint[]) as a (u, i, l, s)
order by u
on conflict (user_id) do update
    set cart_id = excluded.cart_id, lines = excluded.lines, seq = excluded.seq, at = now()
    where c.seq <= excluded.seq;

-- name: kept
select user_id, cart_id, lines::text, seq from cart.copy where user_id = any($1::bigint[]);
