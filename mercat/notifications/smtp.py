"""Mail over SMTP, and what is known when it goes wrong."""

import contextlib
import smtplib
import ssl
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from urllib.parse import unquote, urlsplit

import email_validator

_TIMEOUT_S = 10
_LINE_MAX = 998
"""RFC 5322, 2.1.1. Within fewer a long address of List-Unsubscribe is encoded, and nobody reads it so."""
_7BIT = SMTP.clone(cte_type="7bit", max_line_length=_LINE_MAX)
_UTF8 = SMTPUTF8.clone(max_line_length=_LINE_MAX)


class ServerUnreachable(Exception):
    """The server cannot be talked to; nothing was tried."""


class NotSent(Exception):
    """The server did not take it. `final`: nor will it when asked again."""

    def __init__(self, reason: str, *, final: bool = False) -> None:
        super().__init__(reason)
        self.final = final


class DeliveryUnknown(Exception):
    """The connection broke after the letter was handed over: it may have been taken."""


def on_the_wire(address: str) -> str:
    """Write an address as mail servers take it, by the rule by which it was accepted: its domain in A-labels
    (IDNA 2008). The part before the @ stays; where it is not ASCII the server has to offer SMTPUTF8 (RFC
    6531). NotSent for what is no address."""
    try:
        found = email_validator.validate_email(
            address, check_deliverability=False, globally_deliverable=False
        )
    except email_validator.EmailNotValidError as error:
        raise NotSent("this is no e-mail address", final=True) from error
    return f"{found.local_part}@{found.ascii_domain}"


class SmtpClient:
    """A connection to one server, kept open between letters. Blocking: for a thread, one call at a time."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
            raise ValueError("smtp_url is smtp://[user:password@]host[:port] or smtps://…")
        self._tls = parts.scheme == "smtps"
        self._host = parts.hostname
        self._port = parts.port or (465 if self._tls else 25)
        self._user = unquote(parts.username or "")
        self._password = unquote(parts.password or "")
        self._connection: smtplib.SMTP | None = None

    def connect(self) -> None:
        """Make sure that the server answers, or raise ServerUnreachable."""
        if self._connection:
            with contextlib.suppress(smtplib.SMTPException, OSError):
                if self._connection.noop()[0] == 250:
                    return
            self.close()
        try:
            self._connection = self._connected()
        except (smtplib.SMTPException, OSError) as error:
            raise ServerUnreachable(repr(error)[:200]) from error

    def _connected(self) -> smtplib.SMTP:
        if self._tls:
            connection = smtplib.SMTP_SSL(
                self._host, self._port, timeout=_TIMEOUT_S, context=ssl.create_default_context()
            )
        else:
            connection = smtplib.SMTP(self._host, self._port, timeout=_TIMEOUT_S)
        try:
            connection.ehlo_or_helo_if_needed()
            if not self._tls and connection.has_extn("starttls"):
                connection.starttls(context=ssl.create_default_context())
                connection.ehlo()
            if self._user:
                connection.login(self._user, self._password)
        except BaseException:
            connection.close()
            raise
        return connection

    def send(self, sender: str, recipient: str, message: EmailMessage) -> None:
        """Hand one letter over, or raise NotSent or DeliveryUnknown."""
        connection = self._connection
        if connection is None:
            raise NotSent("not connected")
        try:
            if recipient.isascii() and sender.isascii():
                content, options = message.as_bytes(policy=_7BIT), ()
            elif connection.has_extn("smtputf8"):
                content, options = message.as_bytes(policy=_UTF8), ("SMTPUTF8", "BODY=8BITMIME")
            else:
                raise NotSent("the mail server takes no address with such letters", final=True)
            # Who refuses the sender refuses the shop, not this letter: that can be put right.
            _expect_ok(connection.mail(sender, options), final=False)
            _expect_ok(connection.rcpt(recipient))
        except (smtplib.SMTPException, OSError) as error:
            self.close()
            raise NotSent(repr(error)[:500]) from error
        except ValueError as error:  # an address or a header that cannot be written
            self._reset()
            raise NotSent(repr(error)[:500], final=True) from error
        except NotSent:
            self._reset()
            raise
        try:
            _expect_ok(connection.data(content))
        except smtplib.SMTPDataError as error:
            self._reset()
            raise NotSent(f"{error.smtp_code} {error.smtp_error!r}", final=error.smtp_code >= 500) from error
        except (smtplib.SMTPException, OSError) as error:
            self.close()
            raise DeliveryUnknown(repr(error)[:500]) from error

    def _reset(self) -> None:
        try:
            if self._connection:
                self._connection.rset()
        except (smtplib.SMTPException, OSError):
            self.close()

    def close(self) -> None:
        if self._connection:
            with contextlib.suppress(smtplib.SMTPException, OSError):
                self._connection.close()
            self._connection = None


def _expect_ok(reply: tuple[int, bytes], *, final: bool = True) -> None:
    code, text = reply
    if code not in (250, 251):
        raise NotSent(f"{code} {text.decode(errors='replace')}"[:500], final=final and code >= 500)
