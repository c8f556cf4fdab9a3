"""Data keys that only open, and turnovers of keys.

The previous release may run beside it: it never writes `retired_at`, opens by whatever key an envelope names, and
seals with any key that is not destroyed. Turn data keys over (`rotate_keys --data-keys`) only when every process
runs this release: the previous one holds no lock on the key that it seals with.
"""

import uuid

import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("vault", "0002_kept_secret")]

    operations = [
        migrations.AlterField("datakey", "root_key_id", models.CharField(max_length=200)),
        migrations.AddField("datakey", "retired_at", models.DateTimeField(null=True)),
        migrations.RemoveConstraint("datakey", "vault_one_live_data_key"),
        migrations.AddConstraint(
            "datakey",
            models.UniqueConstraint(
                name="vault_one_live_data_key",
                fields=("reseller_id", "tenant_id"),
                condition=models.Q(("destroyed_at", None), ("retired_at", None)),
                nulls_distinct=False,
            ),
        ),
        migrations.CreateModel(
            name="Turnover",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("leaves", models.JSONField()),
                ("data_keys", models.BooleanField()),
                ("begun_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("finished_at", models.DateTimeField(null=True)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        name="vault_one_turnover_at_a_time",
                        fields=("finished_at",),
                        condition=models.Q(("finished_at", None)),
                        nulls_distinct=False,
                    )
                ],
            },
        ),
    ]
