"""The routes of the audit log."""

from mercat.auditlog.service import AuditLog
from mercat.kit.verbs import Verb

API = [
    Verb(AuditLog.begin),
    Verb(AuditLog.finish),
    Verb(AuditLog.newest, reads=True),
]
