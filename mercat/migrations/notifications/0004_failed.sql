-- Change: letters that were given up are found by an index.
-- Previous release: does not notice.
-- not in a transaction

create index concurrently mail_failed on notifications.mail (mail_id desc)
    where failure is not null and due_at is null and sent_at is null;
