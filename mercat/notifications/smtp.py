"""Mail over SMTP, and what is known when it goes wrong."""

import contextlib
import smtplib
import ssl
from email.message import EmailMessage
from email.policy import SMTP
from urllib.parse import unquote, urlsplit

_TIMEOUT_S = 10
_7BIT = SMTP.clone(cte_type="7bit")


class Away(Exception):
    """There is no talking to the server; nothing was tried."""


class NotSent(Exception):
    """The server did not take it. `final`: nor will it when asked again."""

    def __init__(self, reason: str, *, final: bool = False) -> None:
        super().__init__(reason)
        self.final = final


class Unknown(Exception):
    """The line broke after the letter was handed over: it may have been taken."""


class Post:
    """One line to one server, kept open between letters. Blocking: for a thread, one call at a time."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
            raise ValueError("smtp_url is smtp://[user:password@]host[:port] or smtps://…")
        self._tls = parts.scheme == "smtps"
        self._host = parts.hostname
        self._port = parts.port or (465 if self._tls else 25)
        self._user = unquote(parts.username or "")
        self._password = unquote(parts.password or "")
        self._line: smtplib.SMTP | None = None

    def connect(self) -> None:
        """Makes sure that there is somebody to talk to. Raises Away."""
        if self._line:
            with contextlib.suppress(smtplib.SMTPException, OSError):
                if self._line.noop()[0] == 250:
                    return
            self.close()
        try:
            self._line = self._dial()
        except (smtplib.SMTPException, OSError) as error:
            raise Away(repr(error)[:200]) from error

    def _dial(self) -> smtplib.SMTP:
        if self._tls:
            line = smtplib.SMTP_SSL(
                self._host, self._port, timeout=_TIMEOUT_S, context=ssl.create_default_context()
            )
        else:
            line = smtplib.SMTP(self._host, self._port, timeout=_TIMEOUT_S)
        try:
            line.ehlo_or_helo_if_needed()
            if not self._tls and line.has_extn("starttls"):
                line.starttls(context=ssl.create_default_context())
                line.ehlo()
            if self._user:
                line.login(self._user, self._password)
        except BaseException:
            line.close()
            raise
        return line

    def send(self, sender: str, recipient: str, message: EmailMessage) -> None:
        """Hands one letter over. Raises NotSent or Unknown."""
        line = self._line
        if line is None:
            raise NotSent("not connected")
        try:
            content = message.as_bytes(policy=_7BIT)
            _agree(line.mail(sender))
            _agree(line.rcpt(recipient))
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
            _agree(line.data(content))
        except smtplib.SMTPDataError as error:
            self._reset()
            raise NotSent(f"{error.smtp_code} {error.smtp_error!r}", final=error.smtp_code >= 500) from error
        except (smtplib.SMTPException, OSError) as error:
            self.close()
            raise Unknown(repr(error)[:500]) from error

    def _reset(self) -> None:
        try:
            if self._line:
                self._line.rset()
        except (smtplib.SMTPException, OSError):
            self.close()

    def close(self) -> None:
        if self._line:
            with contextlib.suppress(smtplib.SMTPException, OSError):
                self._line.close()
            self._line = None


def _agree(reply: tuple[int, bytes]) -> None:
    code, said = reply
    if code not in (250, 251):
        raise NotSent(f"{code} {said.decode(errors='replace')}"[:500], final=code >= 500)
