"""The file between its preview and its import, with its wall."""

from importlib import import_module

import django.db.models.deletion
import technicians.models.import_upload
import uuid
from django.conf import settings
from django.db import migrations, models

walls = import_module("tenants.migrations.0002_walls")

class Migration(migrations.Migration):

    dependencies = [
        ('technicians', '0003_walls'),
        ('tenants', '0002_walls'),
    ]

    operations = [
        migrations.CreateModel(
            name='ImportUpload',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(max_length=30)),
                ('file_name', models.CharField(blank=True, max_length=255)),
                ('sealed', models.BinaryField()),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('expires_at', models.DateTimeField(default=technicians.models.import_upload.at_the_latest)),
                ('applied_at', models.DateTimeField(blank=True, null=True)),
                ('result', models.JSONField(blank=True, null=True)),
                ('person', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='uploads', to=settings.AUTH_USER_MODEL)),
                ('reseller', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenants.reseller')),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('applied_at__isnull', True), models.Q(('sealed', b''), ('result__isnull', False)), _connector='OR'), name='an_imported_file_is_gone')],
            },
        ),
        walls.pointer("technicians_importupload", "person_id", "technicians_technician"),
    ]
