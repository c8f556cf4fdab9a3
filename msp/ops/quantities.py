"""How many of what, as commands say it: 1 account, 2 accounts."""

from __future__ import annotations

from django.utils.translation import ngettext


def accounts(count: int) -> str:
    return ngettext("%(count)d account", "%(count)d accounts", count) % {"count": count}


def shared_accounts(count: int) -> str:
    return ngettext("%(count)d shared account", "%(count)d shared accounts", count) % {"count": count}


def tenants(count: int) -> str:
    return ngettext("%(count)d tenant", "%(count)d tenants", count) % {"count": count}


def customers(count: int) -> str:
    return ngettext("%(count)d customer", "%(count)d customers", count) % {"count": count}


def technicians(count: int) -> str:
    return ngettext("%(count)d technician", "%(count)d technicians", count) % {"count": count}


def methods(count: int) -> str:
    return ngettext("%(count)d method", "%(count)d methods", count) % {"count": count}


def authenticators_go(count: int) -> str:
    return ngettext("%(count)d authenticator goes", "%(count)d authenticators go", count) % {"count": count}


def passwords_change(count: int) -> str:
    return ngettext("%(count)d password changes", "%(count)d passwords change", count) % {"count": count}


def stored_passwords(count: int) -> str:
    return ngettext("%(count)d stored password", "%(count)d stored passwords", count) % {"count": count}


def passwords_in_it(count: int) -> str:
    return ngettext("%(count)d password", "%(count)d passwords", count) % {"count": count}


def tokens(count: int) -> str:
    return ngettext("%(count)d token", "%(count)d tokens", count) % {"count": count}


def data_keys(count: int) -> str:
    return ngettext("%(count)d data key", "%(count)d data keys", count) % {"count": count}


def people_stay(count: int) -> str:
    return ngettext("%(count)d person stays", "%(count)d people stay", count) % {"count": count}


def steps(count: int) -> str:
    return ngettext("%(count)d step", "%(count)d steps", count) % {"count": count}


def minutes(count: int) -> str:
    return ngettext("%(count)d minute", "%(count)d minutes", count) % {"count": count}


def people_agree(count: int) -> str:
    return ngettext("%(count)d other person has to agree", "%(count)d other people have to agree", count) % {
        "count": count
    }
