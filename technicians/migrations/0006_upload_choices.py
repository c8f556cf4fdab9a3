"""What a person decided about an uploaded file. The previous release ignores it."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('technicians', '0005_passwords'),
    ]

    operations = [
        migrations.AddField(
            model_name='importupload',
            name='choices',
            field=models.JSONField(blank=True, db_default={}, default=dict),
        ),
    ]
