"""Ways to enrol, bulk enrolments, enrolment lists, take-overs, suspensions. The previous release ignores them.

The constraint that falls is one that the previous release keeps by its own checks; two new ones are weaker.
"""

import django.db.models.deletion
import django.utils.timezone
import uuid
from importlib import import_module
from django.conf import settings
from django.db import migrations, models

walls = import_module("tenants.migrations.0002_walls")


class Migration(migrations.Migration):

    dependencies = [
        ('technicians', '0006_upload_choices'),
        ('tenants', '0006_enrolment'),
    ]

    operations = [
        migrations.CreateModel(
            name='BulkCode',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('number', models.PositiveIntegerField()),
                ('asked', models.JSONField(default=list)),
                ('shown_at', models.DateTimeField(blank=True, null=True)),
                ('proven_at', models.DateTimeField(blank=True, null=True)),
                ('tries', models.PositiveIntegerField(default=0)),
            ],
            options={
                'ordering': ['number'],
            },
        ),
        migrations.CreateModel(
            name='BulkEnrolment',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('app', models.CharField(choices=[('google', 'Google Authenticator'), ('aegis', 'Aegis'), ('ente', 'Ente Auth'), ('bitwarden', 'Bitwarden Authenticator'), ('stratum', 'Stratum'), ('two_fas', '2FAS'), ('microsoft', 'Microsoft Authenticator'), ('authy', 'Authy'), ('one_password', '1Password'), ('other', 'Another app')], max_length=16)),
                ('accounts_per_code', models.PositiveIntegerField()),
                ('requested_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('expires_at', models.DateTimeField()),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
                ('cancelled_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'ordering': ['-requested_at'],
            },
        ),
        migrations.CreateModel(
            name='DeclaredDuplicate',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('label', models.CharField(max_length=100)),
                ('declared_at', models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                'ordering': ['declared_at'],
            },
        ),
        migrations.CreateModel(
            name='EnrolmentLink',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('digest', models.BinaryField(max_length=32, unique=True)),
                ('made_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('expires_at', models.DateTimeField()),
                ('used_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'ordering': ['-made_at'],
            },
        ),
        migrations.CreateModel(
            name='EnrolmentRequest',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('because', models.CharField(choices=[('joined', 'New here'), ('assigned', 'Newly assigned'), ('lost_phone', 'The phone was lost'), ('new_phone', 'A new phone'), ('returned', 'Back from leave'), ('take_over', 'Take-over of an account that existed')], max_length=12)),
                ('requested_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('due_on', models.DateField(blank=True, null=True)),
                ('done_at', models.DateTimeField(blank=True, null=True)),
                ('withdrawn_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'ordering': ['account__tenant__default_domain', 'account__user_principal_name'],
            },
        ),
        migrations.CreateModel(
            name='KeptCode',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('sealed', models.BinaryField()),
                ('made_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('until', models.DateTimeField(blank=True, null=True)),
                ('shown', models.PositiveIntegerField(default=0)),
                ('shown_at', models.DateTimeField(blank=True, null=True)),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
                ('ended_because', models.CharField(blank=True, max_length=200)),
            ],
            options={
                'ordering': ['-made_at'],
            },
        ),
        migrations.CreateModel(
            name='LostDevice',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('reported_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('reason', models.TextField()),
            ],
            options={
                'ordering': ['-reported_at'],
            },
        ),
        migrations.CreateModel(
            name='Suspension',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('reason', models.TextField()),
                ('suspended_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('expected_back_on', models.DateField(blank=True, null=True)),
                ('accounts', models.JSONField(default=list)),
                ('returned_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'ordering': ['-suspended_at'],
            },
        ),
        migrations.CreateModel(
            name='TakeOver',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('changed_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('name', models.CharField(max_length=100)),
                ('reason', models.TextField(blank=True)),
                ('status', models.CharField(choices=[('open', 'Open'), ('removing', 'The unknown methods are being removed'), ('finished', 'Finished'), ('cancelled', 'Cancelled')], default='open', max_length=10)),
                ('started_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('due_on', models.DateField()),
                ('reminded_at', models.DateTimeField(blank=True, null=True)),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'ordering': ['-started_at'],
            },
        ),
        migrations.CreateModel(
            name='TakeOverAccount',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('closed_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'ordering': ['account__tenant__default_domain', 'account__user_principal_name'],
            },
        ),
        migrations.CreateModel(
            name='TakeOverTask',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('changed_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('status', models.CharField(choices=[('open', 'To do'), ('enrolled', 'Enrolled anew'), ('claimed', 'Claimed a method'), ('excused', 'Needs none')], default='open', max_length=10)),
                ('done_at', models.DateTimeField(blank=True, null=True)),
                ('note', models.CharField(blank=True, max_length=500)),
            ],
            options={
                'ordering': ['technician__name'],
            },
        ),
        migrations.CreateModel(
            name='TwoPersonCheck',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('asked_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('first_digest', models.BinaryField(blank=True, default=b'', max_length=32)),
                ('step', models.BigIntegerField(blank=True, null=True)),
                ('result', models.CharField(choices=[('waiting', 'Waiting for both codes'), ('shared', 'The same code: both phones have one seed'), ('independent', 'Different codes: two seeds'), ('too_late', 'Not within the same 30 seconds: try again')], default='waiting', max_length=12)),
                ('decided_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'ordering': ['-asked_at'],
            },
        ),
        migrations.RemoveConstraint(
            model_name='enrolment',
            name='one_open_enrolment_per_account',
        ),
        migrations.AddField(
            model_name='authenticator',
            name='note',
            field=models.CharField(blank=True, db_default='', max_length=500),
        ),
        migrations.AddField(
            model_name='enrolment',
            name='code_number',
            field=models.PositiveIntegerField(blank=True, help_text='Which QR code of the bulk holds it', null=True),
        ),
        migrations.AddField(
            model_name='enrolment',
            name='key_proven_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='enrolment',
            name='pass_id',
            field=models.CharField(blank=True, db_default='', max_length=100),
        ),
        migrations.AddField(
            model_name='enrolment',
            name='registration',
            field=models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='enrolment', to='tenants.registration'),
        ),
        migrations.AddField(
            model_name='enrolment',
            name='shown_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='enrolment',
            name='tries',
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='enrolment',
            name='way',
            field=models.CharField(choices=[('our_seed', 'With a seed that Latchkey chooses'), ('microsoft_page', "On Microsoft's page"), ('kept_here', 'Codes kept here')], db_default='microsoft_page', default='microsoft_page', max_length=16),
        ),
        migrations.AlterField(
            model_name='authenticator',
            name='proof',
            field=models.CharField(choices=[('imported', 'Imported: said by whoever gave the list'), ('observed', 'Observed: it appeared while this technician enrolled'), ('proven', 'Proven: it appeared, and a code of its key was right'), ('activated', 'Activated: Latchkey chose the seed, and a code of it was right'), ('signed_in', 'Claimed: a sign-in names the device'), ('claimed', 'Claimed by this technician; the label is the evidence'), ('said', 'Said by a manager')], max_length=12),
        ),
        migrations.AlterField(
            model_name='enrolment',
            name='status',
            field=models.CharField(choices=[('preparing', 'The token is being made'), ('waiting_for_scan', 'Waiting for the authenticator'), ('activating', 'Proven; the token is being activated'), ('active', 'Bound'), ('expired', 'Expired'), ('cancelled', 'Cancelled'), ('failed', 'Failed: nothing was bound')], default='preparing', max_length=20),
        ),
        migrations.AlterField(
            model_name='technician',
            name='status',
            field=models.CharField(choices=[('active', 'Active'), ('suspended', 'Suspended'), ('left', 'Left')], default='active', max_length=10),
        ),
        migrations.AddField(
            model_name='bulkcode',
            name='reseller',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenants.reseller'),
        ),
        migrations.AddField(
            model_name='bulkenrolment',
            name='requested_by',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='bulkenrolment',
            name='reseller',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenants.reseller'),
        ),
        migrations.AddField(
            model_name='bulkenrolment',
            name='run',
            field=models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='bulk_enrolment', to='tenants.run'),
        ),
        migrations.AddField(
            model_name='bulkenrolment',
            name='technician',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='bulk_enrolments', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='bulkcode',
            name='bulk',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='codes', to='technicians.bulkenrolment'),
        ),
        migrations.AddField(
            model_name='enrolment',
            name='bulk',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='enrolments', to='technicians.bulkenrolment'),
        ),
        migrations.AddConstraint(
            model_name='enrolment',
            constraint=models.UniqueConstraint(condition=models.Q(('registration__isnull', True), ('status__in', ['preparing', 'waiting_for_scan', 'activating'])), fields=('account',), name='one_open_page_enrolment_per_account'),
        ),
        migrations.AddConstraint(
            model_name='enrolment',
            constraint=models.UniqueConstraint(condition=models.Q(('status__in', ['preparing', 'waiting_for_scan', 'activating'])), fields=('technician', 'account'), name='one_open_enrolment_per_person'),
        ),
        migrations.AddField(
            model_name='declaredduplicate',
            name='authenticator',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='duplicates', to='technicians.authenticator'),
        ),
        migrations.AddField(
            model_name='declaredduplicate',
            name='declared_by',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='declaredduplicate',
            name='reseller',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenants.reseller'),
        ),
        migrations.AddField(
            model_name='enrolmentlink',
            name='made_by',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='enrolmentlink',
            name='reseller',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenants.reseller'),
        ),
        migrations.AddField(
            model_name='enrolmentlink',
            name='technician',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='enrolment_links', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='enrolmentrequest',
            name='account',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='enrolment_requests', to='tenants.sharedaccount'),
        ),
        migrations.AddField(
            model_name='enrolmentrequest',
            name='enrolment',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='technicians.enrolment'),
        ),
        migrations.AddField(
            model_name='enrolmentrequest',
            name='requested_by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='enrolmentrequest',
            name='reseller',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenants.reseller'),
        ),
        migrations.AddField(
            model_name='enrolmentrequest',
            name='technician',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='enrolment_requests', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='keptcode',
            name='account',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='kept_codes', to='tenants.sharedaccount'),
        ),
        migrations.AddField(
            model_name='keptcode',
            name='authenticator',
            field=models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='kept_code', to='technicians.authenticator'),
        ),
        migrations.AddField(
            model_name='keptcode',
            name='reseller',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenants.reseller'),
        ),
        migrations.AddField(
            model_name='keptcode',
            name='technician',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='kept_codes', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='lostdevice',
            name='reported_by',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='lostdevice',
            name='reseller',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenants.reseller'),
        ),
        migrations.AddField(
            model_name='lostdevice',
            name='run',
            field=models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='lost_device', to='tenants.run'),
        ),
        migrations.AddField(
            model_name='lostdevice',
            name='technician',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='lost_devices', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='suspension',
            name='reseller',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenants.reseller'),
        ),
        migrations.AddField(
            model_name='suspension',
            name='returned_by',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='suspension',
            name='run',
            field=models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='suspension', to='tenants.run'),
        ),
        migrations.AddField(
            model_name='suspension',
            name='suspended_by',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='suspension',
            name='technician',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='suspensions', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='takeover',
            name='owner',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='take_overs', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='takeover',
            name='reseller',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenants.reseller'),
        ),
        migrations.AddField(
            model_name='takeover',
            name='run',
            field=models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='take_over', to='tenants.run'),
        ),
        migrations.AddField(
            model_name='takeover',
            name='started_by',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='takeoveraccount',
            name='account',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='take_overs', to='tenants.sharedaccount'),
        ),
        migrations.AddField(
            model_name='takeoveraccount',
            name='reseller',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenants.reseller'),
        ),
        migrations.AddField(
            model_name='takeoveraccount',
            name='take_over',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='accounts', to='technicians.takeover'),
        ),
        migrations.AddField(
            model_name='takeovertask',
            name='authenticator',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='technicians.authenticator'),
        ),
        migrations.AddField(
            model_name='takeovertask',
            name='take_over_account',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='tasks', to='technicians.takeoveraccount'),
        ),
        migrations.AddField(
            model_name='takeovertask',
            name='reseller',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenants.reseller'),
        ),
        migrations.AddField(
            model_name='takeovertask',
            name='technician',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='take_over_tasks', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='twopersoncheck',
            name='account',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='two_person_checks', to='tenants.sharedaccount'),
        ),
        migrations.AddField(
            model_name='twopersoncheck',
            name='asked_by',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='twopersoncheck',
            name='first',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='twopersoncheck',
            name='reseller',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenants.reseller'),
        ),
        migrations.AddField(
            model_name='twopersoncheck',
            name='second',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='twopersoncheck',
            name='typed_by',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddConstraint(
            model_name='bulkcode',
            constraint=models.UniqueConstraint(fields=('bulk', 'number'), name='one_code_per_number'),
        ),
        migrations.AddConstraint(
            model_name='declaredduplicate',
            constraint=models.UniqueConstraint(fields=('authenticator', 'label'), name='one_duplicate_per_label'),
        ),
        migrations.AddConstraint(
            model_name='enrolmentrequest',
            constraint=models.UniqueConstraint(condition=models.Q(('done_at__isnull', True), ('withdrawn_at__isnull', True)), fields=('technician', 'account'), name='one_open_request_per_account'),
        ),
        migrations.AddConstraint(
            model_name='keptcode',
            constraint=models.UniqueConstraint(condition=models.Q(('ended_at__isnull', True)), fields=('technician', 'account'), name='one_live_code_per_person'),
        ),
        migrations.AddConstraint(
            model_name='suspension',
            constraint=models.UniqueConstraint(condition=models.Q(('returned_at__isnull', True)), fields=('technician',), name='one_open_suspension_per_person'),
        ),
        migrations.AddConstraint(
            model_name='takeoveraccount',
            constraint=models.UniqueConstraint(fields=('take_over', 'account'), name='an_account_once_per_take_over'),
        ),
        migrations.AddConstraint(
            model_name='takeoveraccount',
            constraint=models.UniqueConstraint(condition=models.Q(('closed_at__isnull', True)), fields=('account',), name='one_open_take_over_per_account'),
        ),
        migrations.AddConstraint(
            model_name='takeovertask',
            constraint=models.UniqueConstraint(fields=('take_over_account', 'technician'), name='one_task_per_person'),
        ),
        migrations.AddConstraint(
            model_name='twopersoncheck',
            constraint=models.CheckConstraint(condition=models.Q(('first', models.F('second')), _negated=True), name='two_different_people'),
        ),
        walls.key("technicians_bulkenrolment"),
        walls.key("technicians_enrolment"),
        walls.key("technicians_authenticator"),
        walls.key("technicians_takeover"),
        walls.key("technicians_takeoveraccount"),
        walls.pointer("technicians_bulkenrolment", "technician_id", "technicians_technician"),
        walls.pointer("technicians_bulkenrolment", "requested_by_id", "technicians_technician"),
        walls.pointer("technicians_bulkenrolment", "run_id", "tenants_run"),
        walls.pointer("technicians_bulkcode", "bulk_id", "technicians_bulkenrolment"),
        walls.pointer("technicians_enrolmentrequest", "technician_id", "technicians_technician"),
        walls.pointer("technicians_enrolmentrequest", "account_id", "tenants_sharedaccount"),
        walls.pointer("technicians_enrolmentrequest", "requested_by_id", "technicians_technician"),
        walls.pointer("technicians_enrolmentrequest", "enrolment_id", "technicians_enrolment"),
        walls.pointer("technicians_enrolmentlink", "technician_id", "technicians_technician"),
        walls.pointer("technicians_enrolmentlink", "made_by_id", "technicians_technician"),
        walls.pointer("technicians_keptcode", "technician_id", "technicians_technician"),
        walls.pointer("technicians_keptcode", "account_id", "tenants_sharedaccount"),
        walls.pointer("technicians_keptcode", "authenticator_id", "technicians_authenticator"),
        walls.pointer("technicians_declaredduplicate", "authenticator_id", "technicians_authenticator"),
        walls.pointer("technicians_declaredduplicate", "declared_by_id", "technicians_technician"),
        walls.pointer("technicians_twopersoncheck", "account_id", "tenants_sharedaccount"),
        walls.pointer("technicians_twopersoncheck", "first_id", "technicians_technician"),
        walls.pointer("technicians_twopersoncheck", "second_id", "technicians_technician"),
        walls.pointer("technicians_twopersoncheck", "asked_by_id", "technicians_technician"),
        walls.pointer("technicians_twopersoncheck", "typed_by_id", "technicians_technician"),
        walls.pointer("technicians_suspension", "technician_id", "technicians_technician"),
        walls.pointer("technicians_suspension", "suspended_by_id", "technicians_technician"),
        walls.pointer("technicians_suspension", "run_id", "tenants_run"),
        walls.pointer("technicians_suspension", "returned_by_id", "technicians_technician"),
        walls.pointer("technicians_lostdevice", "technician_id", "technicians_technician"),
        walls.pointer("technicians_lostdevice", "run_id", "tenants_run"),
        walls.pointer("technicians_lostdevice", "reported_by_id", "technicians_technician"),
        walls.pointer("technicians_takeover", "owner_id", "technicians_technician"),
        walls.pointer("technicians_takeover", "started_by_id", "technicians_technician"),
        walls.pointer("technicians_takeover", "run_id", "tenants_run"),
        walls.pointer("technicians_takeoveraccount", "take_over_id", "technicians_takeover"),
        walls.pointer("technicians_takeoveraccount", "account_id", "tenants_sharedaccount"),
        walls.pointer("technicians_takeovertask", "take_over_account_id", "technicians_takeoveraccount"),
        walls.pointer("technicians_takeovertask", "technician_id", "technicians_technician"),
        walls.pointer("technicians_takeovertask", "authenticator_id", "technicians_authenticator"),
        walls.pointer("technicians_enrolment", "registration_id", "tenants_registration"),
        walls.pointer("technicians_enrolment", "bulk_id", "technicians_bulkenrolment"),
    ]
