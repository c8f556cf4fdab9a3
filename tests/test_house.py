"""The house and its habits: what no single part of it can hold by itself."""

from __future__ import annotations

import ast
import io
import re
import shutil
import subprocess
import sys
import tokenize
from pathlib import Path
from typing import Any

import grimp
import pytest
from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.db import models
from django.utils.functional import Promise
from importlinter.cli import lint_imports

from msp.lifecycle import Lifecycle
from tests.pages.addresses import TABLE
from tests.support import source
from tests.support.source import PACKAGES, ROOT, dotted, python_files, tree_of, words_of

MANAGE = ROOT / "manage.py"
LONGEST_FILE = 420
LONGEST_FUNCTION = 60
BEGIN_A_CHECK = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"

WRONG_IMPORTS = [
    ("tenants/models/tenant.py", "technicians.models", "tenants know nothing of people"),
    ("msp/vault/keepers/file.py", "tenants.models", "the cellar knows no app"),
    ("tenants/plans.py", "tenants.models", "plans are pure"),
    ("tenants/models/run.py", "tenants.actions.sweep", "models stand below actions"),
    ("msp/microsoft/client.py", "msp.simulator.cloud", "the product does not know the simulator"),
    ("msp/simulator/cloud.py", "msp.vault.keepers.file", "the simulator does not know the product"),
]


class TheLawOfDirection:
    def test_imports_point_down(self, capsys: pytest.CaptureFixture[str]):
        broken = lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True, no_logo=True)
        assert broken == 0, capsys.readouterr().out


@pytest.fixture(scope="module")
def copy_of_the_house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("house")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, place / package, ignore=shutil.ignore_patterns("__pycache__", "static"))
    shutil.copy(ROOT / "pyproject.toml", place)
    return place


@pytest.mark.parametrize(("file", "wrong", "why"), WRONG_IMPORTS, ids=[why for _, _, why in WRONG_IMPORTS])
class WhenAnImportPointsUp:
    def test_the_check_names_it(self, file: str, wrong: str, why: str, copy_of_the_house: Path):
        path = copy_of_the_house / file
        before = path.read_text()
        path.write_text(f"{before}\nimport {wrong}\n")
        try:
            check = subprocess.run(
                [sys.executable, "-c", BEGIN_A_CHECK], cwd=copy_of_the_house, capture_output=True, text=True, timeout=60
            )
        finally:
            path.write_text(before)
        assert check.returncode == 1, why
        assert dotted(Path(file)) in check.stdout
        assert wrong in check.stdout


# What nothing imports and what is alive all the same: Python, Django or Celery find these by their place.
FOUND_BY_PLACE = re.compile(
    r".*\.management\.commands\.\w+|.*\.templatetags\.\w+|.*\.__main__|(tenants|technicians)\.tasks|.*\.apps"
)


class EveryModule:
    def test_is_imported_or_named_by_somebody(self):
        graph = grimp.build_graph(*PACKAGES, cache_dir=None)
        spoken_of = set().union(*(words_of(p) for p in python_files()))
        spoken_of |= {w.replace(" import ", ".") for w in re.findall(r"[\w.]+(?: import \w+)?", MANAGE.read_text())}
        orphans = [
            name
            for path in python_files()
            if path.name != "__init__.py"
            and not graph.find_modules_that_directly_import(name := dotted(path))
            and not FOUND_BY_PLACE.fullmatch(name)
            and not any(word == name or word.startswith(f"{name}.") for word in spoken_of)
        ]
        assert orphans == []

    def test_fits_into_the_head(self):
        long = {str(p): n for p in python_files() if (n := len((ROOT / p).read_text().splitlines())) > LONGEST_FILE}
        assert long == {}

    def test_has_no_function_longer_than_a_screen(self):
        functions = (
            (path, node)
            for path in python_files()
            for node in ast.walk(tree_of(path))
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        )
        long = [
            f"{path}:{node.lineno} {node.name}"
            for path, node in functions
            if (node.end_lineno or 0) - node.lineno >= LONGEST_FUNCTION
        ]
        assert long == []

    def test_has_a_name_that_says_what_is_in_it(self):
        vague = {"utils", "util", "helpers", "helper", "common", "misc", "signals"}
        assert [str(p) for p in python_files() if vague & {p.stem, *p.parts}] == []

    def test_puts_nothing_off(self):
        """A comment or a docstring that promises to finish something later."""
        puts_off = re.compile(r"\b(TODO|FIXME|HACK|for now|placeholder until|not implemented)\b", re.IGNORECASE)
        found = []
        for path in python_files():
            text = (ROOT / path).read_text(encoding="utf-8")
            for token in tokenize.generate_tokens(io.StringIO(text).readline):
                if token.type in (tokenize.COMMENT, tokenize.STRING) and puts_off.search(token.string):
                    found.append(f"{path}:{token.start[0]}")
        assert found == []

    def test_prints_only_where_a_person_sits_at_the_terminal(self):
        """The supervisor's own lines are the product of `up`, `demo` and the simulator's command line."""
        at_the_terminal = {"msp/ops/flows.py", "msp/simulator/__main__.py"}
        found = {str(p) for p in python_files() for _, _, name in source.calls(p) if name == "print"}
        assert found <= at_the_terminal


# --- doors -------------------------------------------------------------------------------------------------------

DOORS = re.compile(
    r"(tenants|technicians)/(views/\w+|queries|run_queries|pages|facts|forms|tasks|management/commands/\w+)\.py"
    r"|msp/(web|reports|importing)/[\w/]+\.py|msp/ops/(?!demo\.py)[\w/]+\.py"
    r"|msp/access/(views|forms|middleware|fresh|rights)\.py"
)
"""Ways in and what they read. `msp/ops/demo.py` is left out: it fills an empty installation, where nobody is yet."""
WRITES = frozenset(
    {
        "save", "create", "delete", "update", "bulk_create", "bulk_update", "get_or_create", "update_or_create",
        "advance", "cursor", "executemany",
    }
)  # fmt: skip
READS_BY_SQL = {("msp/ops/health.py", "cursor"): "asks the database whether it is there"}
VIEWS = re.compile(r"(tenants|technicians)/views/\w+\.py|msp/web/(views|ledger|import_views)\.py|msp/reports/views\.py")
WITHOUT_A_WALL = {
    "Entry.objects.of_reseller": "the cellar knows no reach; the ledger page filters by visible tenants itself"
}


def doors() -> list[Path]:
    return [p for p in python_files() if DOORS.fullmatch(str(p))]


class EveryDoor:
    def test_is_among_those_looked_at(self):
        """So that the checks below cannot pass by looking at nothing."""
        seen = {str(p) for p in doors()}
        assert {"tenants/views/runs.py", "technicians/pages.py", "tenants/tasks.py", "msp/web/views.py"} <= seen
        assert len(seen) > 30

    def test_leaves_every_change_to_an_action(self):
        found = [
            f"{path}:{line} {name}"
            for path in doors()
            for line, call, name in source.calls(path)
            if name in WRITES and isinstance(call.func, ast.Attribute) and (str(path), name) not in READS_BY_SQL
        ]
        assert found == []

    def test_of_the_web_starts_every_query_from_what_the_reader_may_see(self):
        found = [
            f"{path}:{line} {asked}"
            for path in python_files()
            if VIEWS.fullmatch(str(path))
            for line, asked in source.managers_asked(path)
            if not asked.endswith(".objects.visible_to") and asked not in WITHOUT_A_WALL
        ]
        assert found == []

    def test_never_listens_to_a_signal_of_the_database(self):
        heard = re.compile(r"django\.(db\.models|core)\.signals|django\.dispatch|contrib\.auth\.signals")
        assert [str(p) for p in python_files() if heard.search((ROOT / p).read_text())] == []


class EveryAddress:
    def test_has_a_name(self):
        assert [a.route for a in source.addresses() if not a.name] == []

    def test_is_walked_by_the_test_of_the_walls(self):
        """tests/pages/test_walls.py reaches every line of the table with every role."""
        assert {a.name for a in source.addresses()} == set(TABLE)


class EveryTemplate:
    def test_is_shown_by_a_view_or_is_part_of_another(self):
        named = source.templates_named_by_code() | source.templates_named_by_templates() | source.NAMED_BY_DJANGO
        assert source.templates() - named == set()

    def test_that_is_named_is_there(self):
        named = source.templates_named_by_code() | source.templates_named_by_templates()
        assert named - source.templates() == set()

    def test_holds_no_script_and_no_style_of_its_own(self):
        inline = re.compile(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=\"|javascript:", re.IGNORECASE)
        texts = {name: (source.TEMPLATES / name).read_text() for name in source.templates()}
        assert [name for name, text in texts.items() if inline.search(text)] == []


# --- models ------------------------------------------------------------------------------------------------------


def lifecycles() -> list[type[Lifecycle]]:
    return [model for model in apps.get_models() if issubclass(model, Lifecycle)]


class EveryStateTable:
    def test_belongs_to_a_model_that_moves(self):
        assert {"Step", "SecretVersion", "Technician", "Enrolment"} <= {m.__name__ for m in lifecycles()}

    @pytest.mark.parametrize("model", lifecycles(), ids=lambda m: m.__name__)
    def test_says_for_every_status_what_it_may_become(self, model: Any):
        statuses = {value for value, _label in model._meta.get_field("status").choices}
        assert set(model.NEXT) == statuses
        assert set().union(*model.NEXT.values()) <= statuses
        assert model._meta.get_field("status").default in statuses

    @pytest.mark.parametrize("model", lifecycles(), ids=lambda m: m.__name__)
    def test_lets_every_status_be_reached_from_the_first(self, model: Any):
        reached, ahead = set(), {model._meta.get_field("status").default, *_born_as(model)}
        while ahead:
            status = ahead.pop()
            reached.add(status)
            ahead |= set(model.NEXT[status]) - reached
        assert set(model.NEXT) - reached == set()


def _born_as(model: Any) -> set[str]:
    """A password that a person brings is in force from the beginning."""
    return {"current"} if model.__name__ == "SecretVersion" else set()


NEVER_SHOWN = {"Reach"}


def every_choice() -> list[type[models.TextChoices]]:
    found: list[type[models.TextChoices]] = []
    ahead = list(models.TextChoices.__subclasses__())
    while ahead:
        choices = ahead.pop()
        found.append(choices)
        ahead += choices.__subclasses__()
    return [c for c in found if c.__module__.split(".")[0] in PACKAGES and c.__name__ not in NEVER_SHOWN]


class EveryChoice:
    @pytest.mark.parametrize("choices", every_choice(), ids=lambda c: c.__qualname__)
    def test_is_said_in_the_readers_language(self, choices: Any):
        assert [member.name for member in choices if not isinstance(member._label_, Promise)] == []


class TheDatabase:
    @pytest.mark.django_db
    def test_has_a_migration_for_every_model(self, capsys: pytest.CaptureFixture[str]):
        try:
            call_command("makemigrations", check=True, dry_run=True, verbosity=1)
        except SystemExit:
            pytest.fail(capsys.readouterr().out)

    def test_gives_every_model_of_ours_a_wall(self):
        """Law 7. Without `visible_to` are only rows that no page reads by themselves, and the cellar's."""
        ours = [m for m in apps.get_models() if m.__module__.split(".")[0] in ("tenants", "technicians")]
        bare = {m.__name__ for m in ours if not hasattr(m._default_manager, "visible_to")}
        assert bare == {"Lease"}


# --- around the code ---------------------------------------------------------------------------------------------


class EveryRequirement:
    @pytest.mark.parametrize("file", ["requirements.in", "requirements-dev.in"])
    def test_says_why_it_is_there(self, file: str):
        lines = [line.strip() for line in (ROOT / file).read_text().splitlines()]
        asked = [line for line in lines if line and not line.startswith(("#", "-r"))]
        assert asked
        assert [line for line in asked if not re.search(r"\s# \S+", line)] == []

    @pytest.mark.parametrize("name", ["requirements", "requirements-dev"])
    def test_is_pinned_with_its_hash(self, name: str):
        asked = re.findall(r"^([a-z0-9][\w.-]*)", (ROOT / f"{name}.in").read_text(), re.MULTILINE)
        pinned = (ROOT / f"{name}.txt").read_text()
        packages = re.findall(r"^([a-z0-9][\w.-]*)(?:\[[\w,]+\])?==\S+", pinned, re.MULTILINE)
        assert set(asked) - set(packages) == set()
        assert pinned.count("--hash=sha256:") >= len(packages)


class EveryText:
    def test_names_no_place_of_one_machine(self):
        """The home directory of whoever wrote it, or a package index of their own."""
        own = re.compile(re.escape(str(ROOT.parent)) + r"\b|(?<![\w}])/(?:home/\w+|root/)|index-url", re.IGNORECASE)
        kinds = {".py", ".html", ".md", ".toml", ".in", ".txt", ".yaml", ".yml", ".js", ".css", ".sh", ""}
        listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
        files = [ROOT / line for line in listed.splitlines() if Path(line).suffix in kinds and line != _ME]
        assert not listed or len(files) > 100
        assert [str(p.relative_to(ROOT)) for p in files if p.is_file() and own.search(p.read_text())] == []


_ME = str(Path(__file__).resolve().relative_to(ROOT))


class TheSettings:
    def test_name_only_apps_of_ours_that_exist(self):
        ours = [name for name in settings.INSTALLED_APPS if name.split(".")[0] in PACKAGES]
        assert ours
        assert all((ROOT / Path(*name.split("."))).is_dir() for name in ours)

    def test_are_read_from_the_environment_in_one_file(self):
        """Starting processes and finding the data directory need it before there are settings."""
        before_settings = re.compile(r"msp/(env|bootstrap|celery|wsgi)\.py|msp/ops/\w+\.py|msp/simulator/__main__\.py")
        reads = re.compile(r"os\.(environ|getenv)")
        found = {str(p) for p in python_files() if reads.search((ROOT / p).read_text())}
        assert {p for p in found if not before_settings.fullmatch(p)} == set()
