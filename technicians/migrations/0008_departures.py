"""Requests, their approvals and rehearsals. The previous release ignores them."""

import django.db.models.deletion
import django.utils.timezone
import uuid
from importlib import import_module
from django.conf import settings
from django.db import migrations, models

walls = import_module("tenants.migrations.0002_walls")


class Migration(migrations.Migration):

    dependencies = [
        ('technicians', '0007_enrolment'),
        ('tenants', '0007_departures'),
    ]

    operations = [
        migrations.CreateModel(
            name='DepartureRequest',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('changed_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('scope', models.CharField(choices=[('person', 'Everything of the person'), ('group', 'One group of tenants'), ('account', 'One account'), ('customer', 'Customer exit: everybody, everywhere at this customer')], default='person', max_length=10)),
                ('reason', models.TextField()),
                ('starts', models.CharField(choices=[('now', 'Now'), ('at', 'At a time'), ('when_disabled', 'When the person is disabled in the directory')], default='now', max_length=14)),
                ('starts_at', models.DateTimeField(blank=True, null=True)),
                ('time_zone', models.CharField(blank=True, max_length=64)),
                ('access_ended_at', models.DateTimeField(blank=True, help_text='When sign-in to Latchkey was taken already, before the start', null=True)),
                ('disabled_at', models.DateTimeField(blank=True, help_text='When the directory said that the person is disabled there', null=True)),
                ('status', models.CharField(choices=[('waiting', 'Awaiting approval'), ('scheduled', 'Scheduled'), ('started', 'Started'), ('rejected', 'Rejected'), ('withdrawn', 'Withdrawn')], default='waiting', max_length=10)),
                ('approvals_needed', models.PositiveSmallIntegerField(default=0)),
                ('preview', models.JSONField(default=dict)),
                ('differences', models.JSONField(default=list)),
                ('requested_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('override_reason', models.TextField(blank=True)),
                ('override_at', models.DateTimeField(blank=True, null=True)),
                ('review', models.TextField(blank=True)),
                ('reviewed_at', models.DateTimeField(blank=True, null=True)),
                ('ended_because', models.TextField(blank=True)),
                ('problem', models.TextField(blank=True)),
                ('account', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenants.sharedaccount')),
                ('customer', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='exits', to='tenants.customer')),
                ('ended_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('group', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenants.tenantgroup')),
                ('override_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('requested_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('reseller', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='departure_requests', to='tenants.reseller')),
                ('reviewed_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('run', models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='departure_request', to='tenants.run')),
                ('successor', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-requested_at'],
            },
        ),
        migrations.CreateModel(
            name='DepartureRequestLeaver',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('request', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='about', to='technicians.departurerequest')),
                ('reseller', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenants.reseller')),
                ('technician', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
        ),
        migrations.AddField(
            model_name='departurerequest',
            name='leavers',
            field=models.ManyToManyField(blank=True, related_name='departure_requests', through='technicians.DepartureRequestLeaver', to=settings.AUTH_USER_MODEL),
        ),
        migrations.CreateModel(
            name='Rehearsal',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('changed_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('asked_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('status', models.CharField(choices=[('waiting', 'Waiting'), ('running', 'Running'), ('finished', 'Finished'), ('failed', 'Failed')], default='waiting', max_length=10)),
                ('pace', models.CharField(choices=[('quick', 'Quick: the cloud answers at once'), ('documented', 'As Microsoft documents it: slow answers, 5 method calls in 10 seconds per tenant')], default='quick', max_length=10)),
                ('started_at', models.DateTimeField(blank=True, null=True)),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
                ('plan', models.CharField(blank=True, max_length=64)),
                ('result', models.JSONField(default=dict)),
                ('problem', models.TextField(blank=True)),
                ('asked_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('request', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='rehearsals', to='technicians.departurerequest')),
                ('reseller', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenants.reseller')),
                ('technician', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='rehearsals', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-asked_at'],
            },
        ),
        migrations.CreateModel(
            name='Approval',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('agrees', models.BooleanField()),
                ('note', models.TextField(blank=True)),
                ('at', models.DateTimeField(default=django.utils.timezone.now)),
                ('by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('reseller', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenants.reseller')),
                ('request', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='approvals', to='technicians.departurerequest')),
            ],
            options={
                'ordering': ['at'],
                'constraints': [models.UniqueConstraint(fields=('request', 'by'), name='nobody_approves_twice')],
            },
        ),
        migrations.AddConstraint(
            model_name='departurerequestleaver',
            constraint=models.UniqueConstraint(fields=('request', 'technician'), name='a_leaver_once_per_request'),
        ),
        migrations.AddIndex(
            model_name='departurerequest',
            index=models.Index(condition=models.Q(('status', 'scheduled')), fields=['starts_at'], name='requests_to_start'),
        ),
        migrations.AddConstraint(
            model_name='departurerequest',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('account', None), ('customer', None), ('group', None), ('scope', 'person')), models.Q(('account', None), ('customer', None), ('group__isnull', False), ('scope', 'group')), models.Q(('account__isnull', False), ('customer', None), ('group', None), ('scope', 'account')), models.Q(('account', None), ('customer__isnull', False), ('group', None), ('scope', 'customer')), _connector='OR'), name='a_scope_names_its_place'),
        ),
        migrations.AddConstraint(
            model_name='departurerequest',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('starts', 'at'), _negated=True), ('starts_at__isnull', False), _connector='OR'), name='a_start_has_a_time'),
        ),
        migrations.AddConstraint(
            model_name='departurerequest',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('status', 'started'), _negated=True), ('run__isnull', False), _connector='OR'), name='started_as_a_run'),
        ),
        migrations.AddConstraint(
            model_name='departurerequest',
            constraint=models.CheckConstraint(condition=models.Q(('override_at__isnull', True), models.Q(('override_by__isnull', False), models.Q(('override_reason', ''), _negated=True)), _connector='OR'), name='overridden_by_whom_and_why'),
        ),
        migrations.AddConstraint(
            model_name='rehearsal',
            constraint=models.UniqueConstraint(condition=models.Q(('status__in', ['waiting', 'running'])), fields=('technician',), name='one_rehearsal_at_a_time_per_person'),
        ),
        migrations.AddConstraint(
            model_name='rehearsal',
            constraint=models.UniqueConstraint(condition=models.Q(('status', 'running')), fields=('status',), name='one_rehearsal_runs'),
        ),
        walls.key("technicians_departurerequest"),
        walls.pointer("technicians_departurerequestleaver", "request_id", "technicians_departurerequest"),
        walls.pointer("technicians_departurerequestleaver", "technician_id", "technicians_technician"),
        walls.pointer("technicians_departurerequest", "group_id", "tenants_tenantgroup"),
        walls.pointer("technicians_departurerequest", "account_id", "tenants_sharedaccount"),
        walls.pointer("technicians_departurerequest", "customer_id", "tenants_customer"),
        walls.pointer("technicians_departurerequest", "run_id", "tenants_run"),
        walls.pointer("technicians_departurerequest", "successor_id", "technicians_technician"),
        walls.pointer("technicians_departurerequest", "requested_by_id", "technicians_technician"),
        walls.pointer("technicians_departurerequest", "override_by_id", "technicians_technician"),
        walls.pointer("technicians_departurerequest", "reviewed_by_id", "technicians_technician"),
        walls.pointer("technicians_departurerequest", "ended_by_id", "technicians_technician"),
        walls.pointer("technicians_approval", "request_id", "technicians_departurerequest"),
        walls.pointer("technicians_approval", "by_id", "technicians_technician"),
        walls.pointer("technicians_rehearsal", "technician_id", "technicians_technician"),
        walls.pointer("technicians_rehearsal", "request_id", "technicians_departurerequest"),
        walls.pointer("technicians_rehearsal", "asked_by_id", "technicians_technician"),
    ]
