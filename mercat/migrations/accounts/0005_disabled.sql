-- Change: an account can be disabled, and people are found by how their names and e-mail addresses begin.
-- Previous release: names its columns, so it does not see these. Until it is gone it signs disabled people in.

alter table accounts.person add column disabled_at timestamptz;

-- What somebody is found by. Of two words that begin alike either is.
create function accounts.words(name text, email text) returns tsvector
    language sql immutable parallel safe as $$
    select array_to_tsvector(array_remove(string_to_array(lower(name), ' ') || lower(email), ''))
$$;
