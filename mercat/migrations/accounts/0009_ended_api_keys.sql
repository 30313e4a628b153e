-- Change: an API key that ended stays ended. It follows from what was asked under a key of the caller's, so the same
-- ask would make it again; its digest stays here, whoever ended it and why.
-- Previous release: ends keys as before, which the trigger notes down.

create table accounts.ended_api_key (
    digest      bytea       primary key,
    ended_at    timestamptz not null default now()
);

create function accounts.note_ended_api_key() returns trigger language plpgsql as $$
begin
    insert into accounts.ended_api_key (digest) values (old.digest) on conflict do nothing;
    return null;
end
$$;

create trigger note_ended after delete on accounts.api_key
    for each row execute function accounts.note_ended_api_key();
