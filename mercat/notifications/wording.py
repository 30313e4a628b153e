"""A stored letter in words, as it is sent and read."""

from email.message import EmailMessage
from email.utils import format_datetime, formataddr, parseaddr

import asyncpg
import structlog

from mercat.kit import sql
from mercat.notifications.letter import write
from mercat.notifications.letters import KINDS
from mercat.notifications.messages import Mail
from mercat.notifications.preferences import Preferences
from mercat.notifications.smtp import on_the_wire
from mercat.settings import Settings

log = structlog.get_logger("mercat.notifications")


class Wording:
    """Puts stored letters into words."""

    def __init__(self, settings: Settings, preferences: Preferences) -> None:
        self._settings = settings
        self._preferences = preferences
        self._sender, self._from = parseaddr(settings.mail_from)

    def mail(self, row: asyncpg.Record) -> Mail:
        name = row["kind"]
        letter = write(
            self._settings, name, KINDS[name], row["facts"], row["order_facts"], self._unsubscribe(row)
        )
        return sql.row(Mail, {**row, "subject": letter.subject, "body": letter.body, "html": letter.html})

    def shown(self, row: asyncpg.Record) -> Mail:
        """Put a letter of a list into words; one that cannot be is shown without any, and hides no other."""
        try:
            return self.mail(row)
        except Exception:
            log.exception("a letter cannot be put into words", mail=row["mail_id"])
            return sql.row(Mail, {**row, "subject": f"({row['kind']})", "body": "", "html": ""})

    def message(self, row: asyncpg.Record) -> EmailMessage:
        """Write a letter for SMTP. What can be done without has one press for it (RFC 8058)."""
        mail = self.mail(row)
        message = EmailMessage()
        message["From"] = formataddr((self._sender, on_the_wire(self._from)))
        message["To"] = on_the_wire(mail.recipient)
        message["Subject"] = mail.subject
        message["Date"] = format_datetime(mail.at)
        message["Message-ID"] = f"<{mail.mail_id}.{mail.kind}@{on_the_wire(self._from).rpartition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"
        if unsubscribe := self._unsubscribe(row):
            message["List-Unsubscribe"] = f"<{unsubscribe}>"
            message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        message.set_content(mail.body)
        message.add_alternative(mail.html, subtype="html")
        return message

    def _unsubscribe(self, row: asyncpg.Record) -> str:
        return self._preferences.link(row["mail_id"]) if KINDS[row["kind"]].optional else ""
