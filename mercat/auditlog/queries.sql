-- name: begin(entry_id, at, user_id, who, what, subject, asked, before)
insert into auditlog.entry (entry_id, at, user_id, who, what, subject, asked, before)
values (:entry_id, :at, :user_id, :who, :what, :subject, :asked, :before);

-- name: finish(entry_id, at, status, after)
insert into auditlog.outcome (entry_id, at, status, after) values (:entry_id, :at, :status, :after)
on conflict do nothing;

-- name: newest(who, what, subject, before, rows_max)
select e.entry_id, e.at, e.user_id, e.who, e.what, e.subject, e.asked, e.before, coalesce(o.after, '') as after, o.status
from auditlog.entry e left join auditlog.outcome o using (entry_id)
where e.entry_id < :before and (:who::text = '' or e.who = :who) and (:what::text = '' or e.what = :what)
    and (:subject::text = '' or e.subject = :subject)
order by e.entry_id desc
limit :rows_max;
