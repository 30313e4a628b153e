-- Change: what operators changed, before and after.
-- Previous release: does not know this schema.

create schema auditlog;

-- Written before the change is tried: nothing is changed that is not here. `subject`: the address of what it is about.
create table auditlog.entry (
    entry_id bigint      primary key,
    at       timestamptz not null,
    user_id  bigint      not null,
    who      text        not null,
    what     text        not null,
    subject  text        not null,
    asked    text        not null default '',
    before   text        not null default ''
);
create index entry_of on auditlog.entry (user_id, entry_id desc);
create index entry_about on auditlog.entry (subject, entry_id desc);

-- How it ended; where there is none the process died, and whether it was done stands where the change would be.
create table auditlog.outcome (
    entry_id bigint      primary key references auditlog.entry,
    at       timestamptz not null,
    status   integer     not null,
    after    text        not null default ''
);

create function auditlog.refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'the audit log is only added to' using errcode = 'restrict_violation';
end
$$;
create trigger only_added_to before update or delete on auditlog.entry
    for each statement execute function auditlog.refuse_change();
create trigger only_added_to before update or delete on auditlog.outcome
    for each statement execute function auditlog.refuse_change();
