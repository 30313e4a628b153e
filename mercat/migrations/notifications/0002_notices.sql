-- Change: letters whose people are looked up, and who does without which kind.
-- Previous release: names its columns, so it does not see the new one; it does not know the tables.

-- A fact that asks for letters to people who have to be looked up, until they are all written.
-- `version`: of the change, where a subject has many; `facts`: a list of what the letters are about.
create table notifications.notice (
    kind        text        not null,
    subject_id  bigint      not null,
    version     bigint      not null default 0,
    notice_id   bigint      not null generated always as identity,
    facts       jsonb       not null,
    facts_count integer     not null default 1,  -- of all; the list keeps some of them
    after       bigint      not null default 0,  -- how far its people have been written to
    due_at      timestamptz not null,
    tries       integer     not null default 0,
    primary key (kind, subject_id, version)
);
create index notice_due on notifications.notice (due_at);

-- `whose`: a person's number, or an e-mail address in small letters.
create table notifications.unwanted (
    whose  text not null,
    kind   text not null,
    primary key (whose, kind)
);

alter table notifications.mail add column user_id bigint;  -- to whom it was written, if they have a number
