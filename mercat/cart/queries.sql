-- name: keep(user_ids, cart_ids, lines, seqs, codes)
insert into cart.copy as c (user_id, cart_id, lines, seq, codes)
select u, i, l::jsonb, s, k::json
from unnest(:user_ids::bigint[], :cart_ids::bigint[], :lines::text[], :seqs::bigint[], :codes::text[]) as a (u, i, l, s, k)
order by u
on conflict (user_id) do update
    set cart_id = excluded.cart_id, lines = excluded.lines, seq = excluded.seq, codes = excluded.codes, at = now()
    where c.seq <= excluded.seq;

-- name: kept(user_ids)
select user_id, cart_id, lines::text, seq, codes::text from cart.copy where user_id = any(:user_ids::bigint[]);

-- name: forget_people(user_ids)
delete from cart.copy where user_id = any (:user_ids::bigint[]);
