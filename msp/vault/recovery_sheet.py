"""One share of a recovery kit on a sheet of paper: an HTML page of its own, A4, without script."""

from __future__ import annotations

import datetime as dt
from html import escape
from string import Template

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from msp.vault.recovery import Kit, Share

_PAGE = Template("""<!doctype html>
<html lang="$language">
<head>
<meta charset="utf-8">
<title>$title</title>
<style>
@page { size: A4; margin: 18mm }
body { font: 11pt/1.4 sans-serif; color: #000; background: #fff; max-width: 174mm; margin: 0 auto }
h1 { font-size: 18pt; margin: 0 0 4mm }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 1mm 6mm; margin: 0 0 6mm }
dt { font-weight: bold }
dd { margin: 0 }
ol.words { columns: 3; font: 13pt/1.75 monospace; padding: 4mm 4mm 4mm 14mm; border: 1pt solid #000; margin: 0 0 6mm }
ul { padding-left: 5mm; margin: 0 }
li { break-inside: avoid }
</style>
</head>
<body>
<h1>$title</h1>
<dl>$facts</dl>
<ol class="words">$words</ol>
<ul>$advice</ul>
</body>
</html>
""")


def sheet(kit: Kit, share: Share, *, installation: str, made_at: dt.datetime) -> str:
    """The page as HTML. It holds the share: write it to a private place, and nowhere else."""
    title = _("Latchkey recovery kit %(kit)d: share %(number)d of %(all)d") % {
        "kit": kit.number,
        "number": share.number,
        "all": len(kit.shares),
    }
    facts = {
        _("Installation"): installation,
        _("Root key"): kit.root_key_id,
        _("Made"): f"{made_at.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC",
        _("Needed"): _("any %(needed)d of the %(all)d shares; fewer tell nothing about the key")
        % {"needed": kit.threshold, "all": len(kit.shares)},
        _("Standard"): "SLIP-0039",
    }
    advice = [
        _("Keep this sheet apart from the other shares, from the server and from its backups: in a safe of its own."),
        _("Do not photograph it, scan it, or type it anywhere but at the prompt of Latchkey."),
        _("When the root key is lost: restore the database, then run `python3 manage.py recovery_kit restore` and type "
          "the words with or without their numbers."),
        _("To see whether the sheets still fit, once a year: `python3 manage.py recovery_kit check` writes nothing."),
        _("After `rotate_keys` there is another root key: print another kit, and keep this one as long as a backup "
          "from its time is kept. Then shred it."),
    ]  # fmt: skip
    return _PAGE.substitute(
        language=escape(get_language() or "en"),
        title=escape(title),
        facts="".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts.items()),
        words="".join(f"<li>{escape(word)}</li>" for word in share.words),
        advice="".join(f"<li>{escape(line)}</li>" for line in advice),
    )
