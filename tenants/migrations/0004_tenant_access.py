"""As whom we come to a tenant. The database's own default serves the previous release, which does not name it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("tenants", "0003_tenant_check")]

    operations = [
        migrations.AddField(
            "tenant",
            "access",
            models.CharField(
                choices=[
                    ("application", "As the app, consented in this tenant"),
                    ("partner", "As the partner's user (GDAP)"),
                ],
                db_default="application",
                default="application",
                max_length=12,
            ),
        ),
    ]
