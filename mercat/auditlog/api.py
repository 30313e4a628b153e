"""The routes of the audit log."""

from mercat.auditlog.service import AuditLog
from mercat.kit.rpc import Route

API = [
    Route("POST", "/entries", AuditLog.begin),
    Route("POST", "/entries/{entry_id}/outcome", AuditLog.finish),
    Route("GET", "/entries", AuditLog.newest),
]
