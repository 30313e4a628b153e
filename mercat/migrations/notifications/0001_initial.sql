-- Change: what 0.1.0 creates.
-- Previous release: made the same; a shop of 0.1.0 has it already, and this is recorded there as applied.

create schema notifications;

-- One row a letter: what it is about, its kind and its channel are the key, so nothing is ever said twice.
-- It keeps the fact, and is put into words when it is sent or read.
create table notifications.mail (
    subject_id  bigint      not null,
    kind        text        not null,
    channel     text        not null,
    mail_id     bigint      not null generated always as identity unique,
    order_id    bigint,
    recipient   text        not null,
    facts       jsonb       not null,
    made_at     timestamptz not null,
    tries       integer     not null default 0,
    due_at      timestamptz,  -- when it is tried next; null: sent, in a sender's hands, or given up
    claimed_at  timestamptz,  -- when a sender took it
    sent_at     timestamptz,
    failure     text,
    primary key (subject_id, kind, channel)
);
create index mail_due on notifications.mail (due_at, mail_id) where due_at is not null;
create index mail_claimed on notifications.mail (claimed_at)
    where due_at is null and sent_at is null and failure is null;
create index mail_of on notifications.mail (lower(recipient), mail_id desc);
