"""Can people be mailed? Without a mail server all is well too: they are told in Latchkey."""

from __future__ import annotations

import smtplib

from django.conf import settings
from django.core.mail import get_connection
from django.utils.translation import gettext as _

from msp import env
from msp.ops.finding import Finding

SECONDS = 5


def mail_server() -> Finding:
    """Says hello to the server, and signs in when there is a password; nothing is mailed."""
    if not settings.MAIL_FROM:
        words = _("No mail server is set (LATCHKEY_SMTP_URL): people are told of new passwords in Latchkey only.")
        return Finding("mail", True, words)
    line = get_connection(**(settings.MAIL_SERVER() | {"timeout": SECONDS}))
    try:
        line.open()
        line.close()
    except smtplib.SMTPAuthenticationError:
        return Finding("mail", False, _("The mail server refuses the sign-in. Correct LATCHKEY_SMTP_URL."))
    except (smtplib.SMTPException, OSError) as wrong:
        words = _(
            "The mail server does not answer (%s), so nobody is mailed. Correct LATCHKEY_SMTP_URL or its network."
        )
        return Finding("mail", False, words % type(wrong).__name__)
    if not env.text("LATCHKEY_URL"):
        words = _("The mail server answers, but LATCHKEY_URL is not set: links in mails may lead nowhere. Set it.")
        return Finding("mail", False, words)
    return Finding("mail", True, _("The mail server answers."))
