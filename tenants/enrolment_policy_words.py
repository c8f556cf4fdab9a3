"""An enrolment policy in words: one sentence for each rule."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from tenants.models import EnrolmentPolicy

SHORT = {
    "our_seed": gettext_lazy("our seed"),
    "microsoft_page": gettext_lazy("Microsoft's page"),
    "kept_here": gettext_lazy("codes kept here"),
}
"""The ways to enrol in two or three words, the best first."""


def ways(policy: EnrolmentPolicy) -> str:
    """The ways that are allowed, in a few words."""
    return ", ".join(str(words) for way, words in SHORT.items() if getattr(policy, way))


def for_later(policy: EnrolmentPolicy) -> str:
    """How long a person may see their own seed again, in a few words."""
    days = policy.keep_for_later_days
    return ngettext("%(count)d day", "%(count)d days", days) % {"count": days} if days else _("never")


def in_words(policy: EnrolmentPolicy) -> list[tuple[str, list[str]]]:
    """Headings with their sentences."""
    return [
        (_("How a technician may enrol"), list(_ways(policy))),
        (_("The same seed a second time"), list(_twice(policy))),
        (_("Many tenants at once, and time"), list(_at_once(policy))),
    ]


def _ways(policy: EnrolmentPolicy) -> Iterator[str]:
    if policy.our_seed:
        yield _("With a seed that Latchkey chooses: scan once, type one code, done.")
    else:
        yield _("Not with a seed that Latchkey chooses.")
    if policy.microsoft_page:
        yield _("On Microsoft's page, guided step by step.")
        if policy.passes:
            yield _("Where an account needs one, with a Temporary Access Pass: once, shortest life, then removed.")
        else:
            yield _("Never with a Temporary Access Pass.")
    else:
        yield _("Not on Microsoft's page.")
    if policy.kept_here:
        yield _(
            "With codes kept here: whoever takes over a technician's sign-in and second factor of Latchkey gets the "
            "password and the code from one place."
        )
    else:
        yield _("No codes are kept here: password and code never lie in one place.")
    if policy.claims:
        yield _("A method that is on an account already may be claimed, with evidence.")
    else:
        yield _("A method that is on an account already cannot be claimed: everybody enrols anew.")


def _twice(policy: EnrolmentPolicy) -> Iterator[str]:
    yield _("Nobody else and no other account ever gets the same seed.")
    if policy.duplicates:
        yield _("A second device of the same person may have it, is declared and counted, and goes with the first.")
    else:
        yield _("Not even a second device of the same person.")
    if policy.keep_for_later_days:
        yield _("A person may see their own seed again for a new phone, for %(days)s after enrolling.") % {
            "days": for_later(policy)
        }
    else:
        yield _("A seed is seen once and never again: a new phone is enrolled anew.")


def _at_once(policy: EnrolmentPolicy) -> Iterator[str]:
    yield _("One QR code carries up to %(count)d accounts.") % {"count": policy.accounts_per_code}
    if policy.files:
        yield _("Encrypted files for authenticator apps that read them.")
    else:
        yield _("No files: a seed leaves as a QR code only.")
    yield ngettext(
        "An enrolment on screen expires after %(count)d minute.",
        "An enrolment on screen expires after %(count)d minutes.",
        policy.minutes_on_screen,
    ) % {"count": policy.minutes_on_screen}
