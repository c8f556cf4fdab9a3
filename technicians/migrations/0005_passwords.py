"""Check-outs, hand-over links, notices of new passwords, and how a password was given. The previous release ignores them."""

import django.db.models.deletion
import django.utils.timezone
import uuid
from importlib import import_module
from django.conf import settings
from django.db import migrations, models

walls = import_module("tenants.migrations.0002_walls")


class Migration(migrations.Migration):

    dependencies = [
        ('technicians', '0004_import_upload'),
        ('tenants', '0005_passwords'),
    ]

    operations = [
        migrations.CreateModel(
            name='CheckOut',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('reason', models.CharField(blank=True, max_length=500)),
                ('ticket', models.CharField(blank=True, max_length=64)),
                ('from_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('until_at', models.DateTimeField()),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
                ('ended_because', models.CharField(blank=True, choices=[('checked_in', 'Checked in'), ('time_over', 'Its time was over'), ('taken_back', 'Taken back by somebody else'), ('access_ended', 'The access of the person ended')], max_length=12)),
            ],
            options={
                'ordering': ['-from_at'],
            },
        ),
        migrations.CreateModel(
            name='HandOverLink',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('recipient', models.CharField(max_length=200)),
                ('reason', models.CharField(max_length=500)),
                ('finder', models.BinaryField(max_length=32, unique=True)),
                ('ciphertext', models.BinaryField()),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('expires_at', models.DateTimeField()),
                ('opened_at', models.DateTimeField(blank=True, null=True)),
                ('opened_from', models.GenericIPAddressField(blank=True, null=True)),
                ('withdrawn_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'ordering': ['-created_at'],
            },
        ),
        migrations.CreateModel(
            name='PasswordNotice',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('mailed_at', models.DateTimeField(blank=True, null=True)),
                ('mail_tries', models.PositiveIntegerField(default=0)),
                ('mail_due_at', models.DateTimeField(blank=True, null=True)),
                ('read_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'ordering': ['-created_at'],
            },
        ),
        migrations.AddField(
            model_name='reveal',
            name='act',
            field=models.CharField(choices=[('shown', 'Shown'), ('copied', 'Copied'), ('handed_over', 'Handed over by a link'), ('exported', 'Exported in a file')], db_default='shown', default='shown', max_length=12),
        ),
        migrations.AddField(
            model_name='reveal',
            name='ticket',
            field=models.CharField(blank=True, db_default='', max_length=64),
        ),
        migrations.AlterField(
            model_name='reveal',
            name='reason',
            field=models.CharField(blank=True, max_length=500),
        ),
        migrations.AddIndex(
            model_name='reveal',
            index=models.Index(fields=['technician', '-at'], name='newest_reveals_of_a_person'),
        ),
        migrations.AddField(
            model_name='checkout',
            name='account',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='check_outs', to='tenants.sharedaccount'),
        ),
        migrations.AddField(
            model_name='checkout',
            name='ended_by',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='checkout',
            name='reseller',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenants.reseller'),
        ),
        migrations.AddField(
            model_name='checkout',
            name='technician',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='check_outs', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='handoverlink',
            name='made_by',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='hand_over_links', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='handoverlink',
            name='reseller',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenants.reseller'),
        ),
        migrations.AddField(
            model_name='handoverlink',
            name='version',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='hand_over_links', to='tenants.secretversion'),
        ),
        migrations.AddField(
            model_name='handoverlink',
            name='withdrawn_by',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='passwordnotice',
            name='reseller',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenants.reseller'),
        ),
        migrations.AddField(
            model_name='passwordnotice',
            name='technician',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='password_notices', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='passwordnotice',
            name='version',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='notices', to='tenants.secretversion'),
        ),
        migrations.AddIndex(
            model_name='checkout',
            index=models.Index(condition=models.Q(('ended_at', None)), fields=['until_at'], name='check_outs_to_end'),
        ),
        migrations.AddConstraint(
            model_name='checkout',
            constraint=models.UniqueConstraint(condition=models.Q(('ended_at', None)), fields=('account',), name='one_check_out_at_a_time'),
        ),
        migrations.AddConstraint(
            model_name='checkout',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('ended_at', None), ('ended_because', '')), models.Q(('ended_at__isnull', False), models.Q(('ended_because', ''), _negated=True)), _connector='OR'), name='a_check_out_ended_why'),
        ),
        migrations.AddIndex(
            model_name='handoverlink',
            index=models.Index(condition=models.Q(('ciphertext', b''), _negated=True), fields=['expires_at'], name='links_to_empty'),
        ),
        migrations.AddConstraint(
            model_name='handoverlink',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('opened_at', None), ('withdrawn_at', None)), ('ciphertext', b''), _connector='OR'), name='an_opened_link_is_empty'),
        ),
        migrations.AddIndex(
            model_name='passwordnotice',
            index=models.Index(condition=models.Q(('mail_due_at__isnull', False)), fields=['mail_due_at'], name='notices_to_mail'),
        ),
        migrations.AddConstraint(
            model_name='passwordnotice',
            constraint=models.UniqueConstraint(fields=('technician', 'version'), name='one_notice_per_version'),
        ),
        walls.pointer("technicians_checkout", "technician_id", "technicians_technician"),
        walls.pointer("technicians_checkout", "account_id", "tenants_sharedaccount"),
        walls.pointer("technicians_checkout", "ended_by_id", "technicians_technician"),
        walls.pointer("technicians_handoverlink", "version_id", "tenants_secretversion"),
        walls.pointer("technicians_handoverlink", "made_by_id", "technicians_technician"),
        walls.pointer("technicians_handoverlink", "withdrawn_by_id", "technicians_technician"),
        walls.pointer("technicians_passwordnotice", "technician_id", "technicians_technician"),
        walls.pointer("technicians_passwordnotice", "version_id", "tenants_secretversion"),
    ]
