"""The tools in which MSPs write down their customers: IT Glue, Hudu, ITPortal, Passportal, ITBoost.

Columns: IT Glue's account export, import page and API; Hudu's API; the rest from published migrations to Hudu.
"""

from __future__ import annotations

from dataclasses import replace

from django.utils.translation import gettext_lazy as _

from msp.importing.reader import fold
from msp.importing.sources.columns import Cells, TableSource
from msp.importing.sources.record import TRUE, PassedOver, Record

EMBEDDED = "flexibleassettraits"


def _of_it_glue(record: Record, cells: Cells) -> Record:
    if cells.text("archived").casefold() in TRUE:
        return replace(record, passed_over=PassedOver.ARCHIVED)
    if fold(cells.text("resourcetype")) == EMBEDDED:
        return replace(
            record,
            ask=_("This password is embedded in another asset of IT Glue. Choose the account, if it is that of one."),
        )
    return record


IT_GLUE_LOGIN = frozenset({"name", "username", "password"})
IT_GLUE = TableSource(
    "it-glue",
    "IT Glue (CSV, or the ZIP of an account export)",
    known_by=(
        IT_GLUE_LOGIN | {"id", "organization", "otpsecret"},
        IT_GLUE_LOGIN | {"organization", "url", "notes", "passwordcategory"},
        IT_GLUE_LOGIN | {"organizationname", "resourcetype", "archived"},
        frozenset({"id", "password", "otpsecret", "username", "resourcetype"}),
    ),
    title_in=("name",),
    user_name_in=("username",),
    seed_in=("otpsecret",),
    places_in=("organization", "organizationname", "passwordfolder"),
    id_in=("id",),
    also_read=("archived", "resourcetype"),
    finish=_of_it_glue,
)
HUDU_LOGIN = frozenset({"name", "username", "password", "otpsecret", "passwordtype"})
HUDU = TableSource(
    "hudu",
    "Hudu (CSV)",
    known_by=(HUDU_LOGIN | {"companyid"}, HUDU_LOGIN | {"companyname"}, HUDU_LOGIN | {"company"}),
    title_in=("name",),
    user_name_in=("username",),
    seed_in=("otpsecret",),
    places_in=("companyname", "company"),
    id_in=("id",),
)
IT_PORTAL = TableSource(
    "itportal",
    "ITPortal (CSV)",
    known_by=(frozenset({"name", "url", "username", "password", "company", "2fasecret"}),),
    title_in=("name",),
    user_name_in=("username",),
    seed_in=("2fasecret",),
    places_in=("company",),
)
PASSPORTAL = TableSource(
    "passportal",
    "Passportal (CSV)",
    known_by=(frozenset({"clientname", "credential", "description", "username", "password"}),),
    title_in=("credential",),
    user_name_in=("username",),
    places_in=("clientname",),
)
ITBOOST = TableSource(
    "itboost",
    "ITBoost (CSV)",
    known_by=(frozenset({"organization", "name", "username", "password", "resourcetype", "notes", "server"}),),
    title_in=("name",),
    user_name_in=("username",),
    url_in=("server",),
    places_in=("organization",),
)
