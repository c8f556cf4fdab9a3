"""Runs that wait, stop and have deadlines; alarms and what leaves the house. The previous release ignores them."""

import django.core.validators
import django.db.models.deletion
import django.utils.timezone
import uuid
from importlib import import_module
from django.conf import settings
from django.db import migrations, models

walls = import_module("tenants.migrations.0002_walls")


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0006_enrolment'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Alarm',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('silent', 'The run has not moved for 15 minutes'), ('half', 'Half of the time is gone'), ('nearly', 'Four fifths of the time are gone'), ('overdue', 'The deadline is past'), ('override', 'Started without approval')], max_length=10)),
                ('detail', models.TextField(blank=True)),
                ('raised_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'ordering': ['-raised_at'],
            },
        ),
        migrations.CreateModel(
            name='Delivery',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('way', models.CharField(choices=[('mail', 'Mail'), ('webhook', 'Webhook')], max_length=10)),
                ('about', models.CharField(max_length=40)),
                ('key', models.CharField(max_length=200)),
                ('address', models.CharField(max_length=500)),
                ('facts', models.JSONField(default=dict)),
                ('made_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('due_at', models.DateTimeField(blank=True, null=True)),
                ('tries', models.PositiveIntegerField(default=0)),
                ('taken_at', models.DateTimeField(blank=True, null=True)),
                ('problem', models.TextField(blank=True)),
            ],
            options={
                'ordering': ['-made_at'],
            },
        ),
        migrations.CreateModel(
            name='DeparturePolicy',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('approvals', models.PositiveSmallIntegerField(default=0, validators=[django.core.validators.MaxValueValidator(3)], verbose_name='People who must agree')),
                ('approvals_above', models.PositiveIntegerField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(1)], verbose_name='More people for runs above this many accounts')),
                ('approvals_for_many', models.PositiveSmallIntegerField(default=2, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(5)], verbose_name='People who must agree then')),
                ('try_password', models.BooleanField(default=False, verbose_name='Try that the old password is refused')),
                ('try_code', models.BooleanField(default=False, verbose_name='Try that an old code is refused')),
                ('try_session', models.BooleanField(default=False, verbose_name='Try that an old session is refused')),
                ('rehearse_every_days', models.PositiveSmallIntegerField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(365)], verbose_name='Rehearse by itself every so many days')),
                ('webhook_url', models.URLField(blank=True, max_length=500, verbose_name='Webhook')),
                ('changed_at', models.DateTimeField(default=django.utils.timezone.now)),
            ],
        ),
        migrations.AddField(
            model_name='run',
            name='cancelled_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='run',
            name='cancelled_because',
            field=models.TextField(blank=True, db_default=''),
        ),
        migrations.AddField(
            model_name='run',
            name='cancelled_by',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='run',
            name='paused_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='run',
            name='paused_because',
            field=models.TextField(blank=True, db_default=''),
        ),
        migrations.AddField(
            model_name='run',
            name='paused_by',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='sharedaccount',
            name='account_class',
            field=models.CharField(choices=[('critical', 'Critical: within 1 hour'), ('high', 'High: within 4 hours'), ('standard', 'Standard: within 24 hours'), ('low', 'Low: within 72 hours')], db_default='standard', default='standard', max_length=10),
        ),
        migrations.AddField(
            model_name='step',
            name='sealed',
            field=models.BinaryField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='step',
            name='stated_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='step',
            name='stated_by',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='step',
            name='stated_note',
            field=models.TextField(blank=True, db_default=''),
        ),
        migrations.AddField(
            model_name='step',
            name='waived_until',
            field=models.DateField(blank=True, help_text='The last day on which the gap is accepted', null=True),
        ),
        migrations.AddField(
            model_name='target',
            name='deadline_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='target',
            name='warned',
            field=models.PositiveSmallIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='tenant',
            name='hands_off',
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name='tenant',
            name='sign_in_address',
            field=models.URLField(blank=True, db_default='', max_length=500),
        ),
        migrations.AddField(
            model_name='tenant',
            name='system',
            field=models.CharField(choices=[('entra', 'Microsoft Entra ID'), ('firewall', 'Firewall'), ('registrar', 'Domain registrar'), ('backup', 'Backup portal'), ('aws_root', 'AWS root user'), ('google_admin', 'Google Workspace administrator'), ('other', 'Another system')], db_default='entra', default='entra', max_length=12),
        ),
        migrations.AlterField(
            model_name='finding',
            name='kind',
            field=models.CharField(choices=[('unknown_method', 'A method that belongs to nobody'), ('push_on_shared', 'Push approval on a shared account'), ('no_connection', 'No connection to the tenant'), ('account_missing', 'The account is not in the directory'), ('run_problem', 'A step of a run needs a person'), ('check_failed', 'The tenant check found something wrong'), ('password_doubtful', 'The password was changed outside Latchkey'), ('rotation_failed', 'The password could not be changed'), ('shared_seed', 'A shared seed: replace it by independent authenticators'), ('token_left_over', "A token of ours is left over in the tenant's inventory"), ('overdue', 'Access should be gone by now, and is not'), ('gap_ended', 'A gap was accepted until a day that is past'), ('unusual_reveals', 'Unusually many passwords were shown to one person')], max_length=30),
        ),
        migrations.AlterField(
            model_name='run',
            name='kind',
            field=models.CharField(choices=[('offboarding', 'Offboarding'), ('rotation', 'Rotation'), ('enrolment', 'Enrolment'), ('lost_device', 'Lost phone'), ('new_phone', 'New phone'), ('move', 'Assignment ended'), ('suspension', 'Suspension'), ('take_over', 'Removal of unknown methods'), ('clean_up', 'Clean-up of tokens'), ('customer_exit', 'Customer exit')], max_length=20),
        ),
        migrations.AlterField(
            model_name='step',
            name='kind',
            field=models.CharField(choices=[('rotate_password', 'Change the password'), ('remove_method', 'Remove the authenticator'), ('revoke_sessions', 'End the sessions'), ('prove', 'Read back what is true'), ('reshare', 'Hand over the new password'), ('second_look', 'Second look'), ('create_token', 'Make the token'), ('activate_token', 'Activate the token'), ('delete_token', 'Take the token away'), ('try_password', 'Try the old password'), ('try_code', 'Try an old code'), ('try_session', 'Try an old session')], max_length=20),
        ),
        migrations.AlterField(
            model_name='step',
            name='status',
            field=models.CharField(choices=[('planned', 'Planned: nothing sent'), ('sending', 'Sent, no answer yet: it may have happened'), ('accepted', 'Accepted, not proven yet'), ('verified', 'Verified: read back and found so'), ('unverified', 'Unverified: accepted, but not seen'), ('refused', 'Refused: nothing changed'), ('blocked', 'Blocked: a guard stopped it'), ('waived', 'Waived: a person accepted the gap'), ('needless', 'Needless: nothing to do'), ('stated', 'Stated by a person: not read back'), ('cancelled', 'Cancelled: nothing sent')], default='planned', max_length=12),
        ),
        migrations.AddIndex(
            model_name='target',
            index=models.Index(condition=models.Q(('warned__lt', 100)), fields=['deadline_at'], name='targets_to_warn_of'),
        ),
        migrations.AddConstraint(
            model_name='step',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('status', 'stated'), _negated=True), models.Q(('stated_at__isnull', False), ('stated_by__isnull', False)), _connector='OR'), name='stated_by_whom_and_when'),
        ),
        migrations.AddField(
            model_name='alarm',
            name='reseller',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenants.reseller'),
        ),
        migrations.AddField(
            model_name='alarm',
            name='run',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='alarms', to='tenants.run'),
        ),
        migrations.AddField(
            model_name='delivery',
            name='reseller',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenants.reseller'),
        ),
        migrations.AddField(
            model_name='delivery',
            name='run',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='deliveries', to='tenants.run'),
        ),
        migrations.AddField(
            model_name='delivery',
            name='to',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='departurepolicy',
            name='changed_by',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='departurepolicy',
            name='reseller',
            field=models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='departure_policy', to='tenants.reseller'),
        ),
        migrations.AddConstraint(
            model_name='alarm',
            constraint=models.UniqueConstraint(condition=models.Q(('ended_at__isnull', True)), fields=('run', 'kind'), name='one_open_alarm_of_a_kind'),
        ),
        migrations.AddIndex(
            model_name='delivery',
            index=models.Index(condition=models.Q(('due_at__isnull', False)), fields=['due_at'], name='deliveries_due'),
        ),
        migrations.AddConstraint(
            model_name='delivery',
            constraint=models.UniqueConstraint(fields=('reseller', 'way', 'address', 'key'), name='one_event_one_delivery'),
        ),
        migrations.AddConstraint(
            model_name='departurepolicy',
            constraint=models.CheckConstraint(condition=models.Q(('approvals_above__isnull', True), ('approvals_for_many__gte', models.F('approvals')), _connector='OR'), name='many_accounts_need_no_fewer_people'),
        ),
        migrations.CreateModel(
            name='CustomerExit',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('begun_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('recipient', models.CharField(blank=True, max_length=200)),
                ('package', models.JSONField(default=dict)),
                ('package_sha256', models.CharField(blank=True, max_length=64)),
                ('package_made_at', models.DateTimeField(blank=True, null=True)),
                ('received_at', models.DateTimeField(blank=True, null=True)),
                ('received_note', models.TextField(blank=True)),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
                ('keys_destroyed', models.PositiveIntegerField(default=0)),
                (
                    'customer',
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name='exits_begun', to='tenants.customer'
                    ),
                ),
                (
                    'ended_by',
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name='+',
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    'package_made_by',
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name='+',
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    'received_said_by',
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name='+',
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    'reseller',
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenants.reseller'
                    ),
                ),
                (
                    'run',
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name='customer_exit', to='tenants.run'
                    ),
                ),
            ],
            options={
                'ordering': ['-begun_at'],
            },
        ),
        migrations.AddConstraint(
            model_name='customerexit',
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ('package_made_at__isnull', True),
                    models.Q(
                        ('package_made_by__isnull', False),
                        models.Q(('package_sha256', ''), _negated=True),
                        models.Q(('recipient', ''), _negated=True),
                    ),
                    _connector='OR',
                ),
                name='a_package_for_somebody',
            ),
        ),
        migrations.AddConstraint(
            model_name='customerexit',
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ('received_at__isnull', True),
                    models.Q(
                        ('package_made_at__isnull', False),
                        ('received_said_by__isnull', False),
                        models.Q(('received_note', ''), _negated=True),
                    ),
                    _connector='OR',
                ),
                name='only_a_package_is_received',
            ),
        ),
        migrations.AddConstraint(
            model_name='customerexit',
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ('ended_at__isnull', True),
                    models.Q(('ended_by__isnull', False), ('received_at__isnull', False)),
                    _connector='OR',
                ),
                name='ended_after_it_was_received',
            ),
        ),
        walls.pointer("tenants_customerexit", "customer_id", "tenants_customer"),
        walls.pointer("tenants_customerexit", "run_id", "tenants_run"),
        walls.pointer("tenants_customerexit", "package_made_by_id", "technicians_technician"),
        walls.pointer("tenants_customerexit", "received_said_by_id", "technicians_technician"),
        walls.pointer("tenants_customerexit", "ended_by_id", "technicians_technician"),
        walls.pointer("tenants_alarm", "run_id", "tenants_run"),
        walls.pointer("tenants_delivery", "run_id", "tenants_run"),
        walls.pointer("tenants_delivery", "to_id", "technicians_technician"),
        walls.pointer("tenants_departurepolicy", "changed_by_id", "technicians_technician"),
        walls.pointer("tenants_run", "paused_by_id", "technicians_technician"),
        walls.pointer("tenants_run", "cancelled_by_id", "technicians_technician"),
        walls.pointer("tenants_step", "stated_by_id", "technicians_technician"),
    ]
