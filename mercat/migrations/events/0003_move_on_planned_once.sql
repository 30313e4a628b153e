-- Change: a follower's step keeps its plan for as long as its connection lives, where it was planned at every step.
-- Previous release: calls it as before; where another process was quicker it hears false instead of null.

create or replace function events.move_on(follower_ text, from_ bigint, to_ bigint) returns boolean
    language plpgsql security definer set search_path = events as $$
begin
    insert into events.position as p (follower, at) values (follower_, to_)
    on conflict (follower) do update set at = excluded.at where p.at = from_;
    return found;
end
$$;
