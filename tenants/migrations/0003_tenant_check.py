"""What checks of tenants found, and the kind of finding that goes with it. The previous release ignores both."""

import uuid
from importlib import import_module

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

walls = import_module("tenants.migrations.0002_walls")

KINDS = [
    ("unknown_method", "A method that belongs to nobody"),
    ("push_on_shared", "Push approval on a shared account"),
    ("no_connection", "No connection to the tenant"),
    ("account_missing", "The account is not in the directory"),
    ("run_problem", "A step of a run needs a person"),
    ("check_failed", "The tenant check found something wrong"),
]
STATES = [("wrong", "Wrong"), ("unknown", "Not known"), ("warning", "Worth a look"), ("ok", "In order")]


class Migration(migrations.Migration):
    dependencies = [
        ("tenants", "0002_walls"),
        ("technicians", "0003_walls"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterField("finding", "kind", models.CharField(choices=KINDS, max_length=30)),
        migrations.CreateModel(
            name="TenantCheck",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("checked_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("items", models.JSONField(default=list)),
                ("worst", models.CharField(choices=STATES, max_length=10)),
                ("by", models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+",
                                         to=settings.AUTH_USER_MODEL)),
                ("reseller", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+",
                                               to="tenants.reseller")),
                ("tenant", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="checks",
                                             to="tenants.tenant")),
            ],
            options={
                "ordering": ["-checked_at"],
                "indexes": [models.Index(fields=["tenant", "-checked_at"], name="newest_check_of_a_tenant")],
            },
        ),
        walls.pointer("tenants_tenantcheck", "tenant_id", "tenants_tenant"),
        walls.pointer("tenants_tenantcheck", "by_id", "technicians_technician"),
    ]
