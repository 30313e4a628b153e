"""Audit log: who of the operators changed what, before and after. Others import from here only."""

from mercat.auditlog.api import API
from mercat.auditlog.messages import DOCUMENT_MAX, Entry, EntryPage, NewEntry, WhoWords
from mercat.auditlog.service import AuditLog

__all__ = ["API", "DOCUMENT_MAX", "AuditLog", "Entry", "EntryPage", "NewEntry", "WhoWords"]
