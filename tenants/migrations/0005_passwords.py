"""Policies, doubtful and dead versions, what must change, seeds seen outside. The previous release ignores all of it."""

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
        ('tenants', '0004_tenant_access'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='ChangeDemand',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('because', models.CharField(choices=[('reveal', 'It was shown'), ('check_in', 'It was checked in'), ('assignment_end', 'An assignment ended'), ('drift', 'It was changed outside Latchkey'), ('hand_over', 'It was handed to somebody outside'), ('person', 'Somebody asked for it'), ('schedule', 'It is old enough')], max_length=20)),
                ('detail', models.CharField(blank=True, max_length=500)),
                ('since', models.DateTimeField(default=django.utils.timezone.now)),
                ('due_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('met_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'ordering': ['due_at'],
            },
        ),
        migrations.CreateModel(
            name='PasswordPolicy',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('style', models.CharField(choices=[('random', 'Random characters'), ('words', 'Words')], default='random', max_length=10, verbose_name='Made of')),
                ('length', models.PositiveIntegerField(default=24, validators=[django.core.validators.MinValueValidator(12), django.core.validators.MaxValueValidator(128)], verbose_name='Characters')),
                ('words', models.PositiveIntegerField(default=6, validators=[django.core.validators.MinValueValidator(5), django.core.validators.MaxValueValidator(12)], verbose_name='Words')),
                ('classes', models.JSONField(blank=True, default=list, verbose_name='Kinds of characters')),
                ('look_alikes', models.BooleanField(default=False, verbose_name='Look-alike characters too (l 1 I O 0)')),
                ('forbid_names', models.BooleanField(default=True, verbose_name="Never the tenant's or the account's name")),
                ('forbidden_parts', models.JSONField(blank=True, default=list, verbose_name='Never these either')),
                ('rotate_every_days', models.PositiveIntegerField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(3650)], verbose_name='Change every (days)')),
                ('rotate_after_reveal', models.BooleanField(default=False, verbose_name='Change after it was shown')),
                ('hours_after_reveal', models.PositiveIntegerField(default=8, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(720)], verbose_name='Hours after it was shown')),
                ('rotate_after_check_in', models.BooleanField(default=True, verbose_name='Change after check-in')),
                ('rotate_after_assignment_end', models.BooleanField(default=True, verbose_name='Change after an assignment ends')),
                ('rotate_after_drift', models.BooleanField(default=False, verbose_name='Change after it was changed elsewhere')),
                ('quiet_from', models.TimeField(blank=True, null=True, verbose_name='Never between')),
                ('quiet_until', models.TimeField(blank=True, null=True, verbose_name='and')),
                ('quiet_zone', models.CharField(default='UTC', max_length=64, verbose_name='in the time zone')),
                ('stagger_minutes', models.PositiveIntegerField(default=15, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(1440)], verbose_name='Minutes between two accounts of a tenant')),
                ('sign_in_probe', models.BooleanField(default=False, verbose_name='Try a sign-in where only that tells which password is right')),
                ('asks', models.CharField(choices=[('nothing', 'Nothing'), ('reason', 'A reason'), ('ticket', 'A ticket number')], default='reason', max_length=10, verbose_name='A reveal asks for')),
                ('ticket_pattern', models.CharField(blank=True, max_length=100, verbose_name='Form of a ticket number')),
                ('reveals_per_hour', models.PositiveIntegerField(default=60, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(1000)], verbose_name='Reveals per person and hour')),
                ('check_out_required', models.BooleanField(default=False, verbose_name='Only after check-out')),
                ('check_out_minutes', models.PositiveIntegerField(default=60, validators=[django.core.validators.MinValueValidator(5), django.core.validators.MaxValueValidator(1440)], verbose_name='Minutes of a check-out')),
                ('changed_at', models.DateTimeField(default=django.utils.timezone.now)),
            ],
        ),
        migrations.CreateModel(
            name='SeedFingerprint',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('digest', models.BinaryField(max_length=32)),
                ('found_in', models.CharField(max_length=100)),
                ('found_at', models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                'ordering': ['-found_at'],
            },
        ),
        migrations.RemoveConstraint(
            model_name='secretversion',
            name='one_current_version',
        ),
        migrations.AddField(
            model_name='secret',
            name='next_change_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='secret',
            name='next_change_because',
            field=models.CharField(blank=True, db_default='', max_length=20),
        ),
        migrations.AddField(
            model_name='secret',
            name='wrong_try_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='secretversion',
            name='entered_by',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='secretversion',
            name='note',
            field=models.CharField(blank=True, db_default='', max_length=500),
        ),
        migrations.AddField(
            model_name='secretversion',
            name='proof',
            field=models.CharField(blank=True, choices=[('', 'Not proven'), ('read_back', 'Read back at the directory'), ('sign_in', 'Signed in with it'), ('person', 'Said by a person')], db_default='', max_length=10),
        ),
        migrations.AddField(
            model_name='secretversion',
            name='repeats',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='repeated_by', to='tenants.secretversion'),
        ),
        migrations.AlterField(
            model_name='finding',
            name='kind',
            field=models.CharField(choices=[('unknown_method', 'A method that belongs to nobody'), ('push_on_shared', 'Push approval on a shared account'), ('no_connection', 'No connection to the tenant'), ('account_missing', 'The account is not in the directory'), ('run_problem', 'A step of a run needs a person'), ('check_failed', 'The tenant check found something wrong'), ('password_doubtful', 'The password was changed outside Latchkey'), ('rotation_failed', 'The password could not be changed'), ('shared_seed', 'A shared seed: replace it by independent authenticators'), ('unusual_reveals', 'Unusually many passwords were shown to one person')], max_length=30),
        ),
        migrations.AlterField(
            model_name='run',
            name='kind',
            field=models.CharField(choices=[('offboarding', 'Offboarding'), ('rotation', 'Rotation')], max_length=20),
        ),
        migrations.AlterField(
            model_name='secretversion',
            name='source',
            field=models.CharField(choices=[('generated', 'Made by Latchkey'), ('imported', 'Imported'), ('entered', 'Entered by a person'), ('corrected', 'Corrected by a person')], default='generated', max_length=20),
        ),
        migrations.AlterField(
            model_name='secretversion',
            name='status',
            field=models.CharField(choices=[('candidate', 'Stored, not sent'), ('unverified', 'Sent; it may be in force, not proven'), ('current', 'In force'), ('doubtful', 'Doubtful: the password was changed outside Latchkey'), ('retired', 'No longer in force'), ('dead', 'Dead: the directory refused it')], default='candidate', max_length=12),
        ),
        migrations.AddIndex(
            model_name='secret',
            index=models.Index(condition=models.Q(('next_change_at__isnull', False)), fields=['next_change_at'], name='secrets_due'),
        ),
        migrations.AddConstraint(
            model_name='secretversion',
            constraint=models.UniqueConstraint(condition=models.Q(('status__in', ['current', 'doubtful'])), fields=('secret',), name='one_version_in_force'),
        ),
        migrations.AddField(
            model_name='changedemand',
            name='met_by',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenants.secretversion'),
        ),
        migrations.AddField(
            model_name='changedemand',
            name='reseller',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenants.reseller'),
        ),
        migrations.AddField(
            model_name='changedemand',
            name='secret',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='demands', to='tenants.secret'),
        ),
        migrations.AddField(
            model_name='changedemand',
            name='version',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='demands', to='tenants.secretversion'),
        ),
        migrations.AddField(
            model_name='passwordpolicy',
            name='account',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='password_policies', to='tenants.sharedaccount'),
        ),
        migrations.AddField(
            model_name='passwordpolicy',
            name='changed_by',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='passwordpolicy',
            name='group',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='password_policies', to='tenants.tenantgroup'),
        ),
        migrations.AddField(
            model_name='passwordpolicy',
            name='reseller',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='password_policies', to='tenants.reseller'),
        ),
        migrations.AddField(
            model_name='passwordpolicy',
            name='tenant',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='password_policies', to='tenants.tenant'),
        ),
        migrations.AddField(
            model_name='seedfingerprint',
            name='account',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='seed_fingerprints', to='tenants.sharedaccount'),
        ),
        migrations.AddField(
            model_name='seedfingerprint',
            name='reseller',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenants.reseller'),
        ),
        migrations.AddConstraint(
            model_name='changedemand',
            constraint=models.UniqueConstraint(condition=models.Q(('met_at', None)), fields=('version', 'because'), name='one_open_demand_per_reason'),
        ),
        migrations.AddConstraint(
            model_name='changedemand',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('met_at', None), ('met_by', None)), models.Q(('met_at__isnull', False), ('met_by__isnull', False)), _connector='OR'), name='met_by_a_version'),
        ),
        migrations.AddConstraint(
            model_name='passwordpolicy',
            constraint=models.UniqueConstraint(fields=('reseller', 'group', 'tenant', 'account'), name='one_policy_per_place', nulls_distinct=False),
        ),
        migrations.AddConstraint(
            model_name='passwordpolicy',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('group', None), ('tenant', None)), models.Q(('account', None), ('group', None)), models.Q(('account', None), ('tenant', None)), _connector='OR'), name='a_policy_has_one_place'),
        ),
        migrations.AddConstraint(
            model_name='passwordpolicy',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('quiet_from', None), ('quiet_until', None)), models.Q(('quiet_from__isnull', False), ('quiet_until__isnull', False)), _connector='OR'), name='quiet_hours_have_both_ends'),
        ),
        migrations.AddIndex(
            model_name='seedfingerprint',
            index=models.Index(fields=['reseller', 'digest'], name='seeds_by_digest'),
        ),
        migrations.AddConstraint(
            model_name='seedfingerprint',
            constraint=models.UniqueConstraint(fields=('account', 'digest'), name='a_seed_once_per_account'),
        ),
        migrations.AddField("sharedaccount", "read_again_at", models.DateTimeField(blank=True, null=True)),
        walls.key("tenants_tenantgroup"),
        walls.pointer("tenants_passwordpolicy", "group_id", "tenants_tenantgroup"),
        walls.pointer("tenants_passwordpolicy", "tenant_id", "tenants_tenant"),
        walls.pointer("tenants_passwordpolicy", "account_id", "tenants_sharedaccount"),
        walls.pointer("tenants_passwordpolicy", "changed_by_id", "technicians_technician"),
        walls.pointer("tenants_changedemand", "secret_id", "tenants_secret"),
        walls.pointer("tenants_changedemand", "version_id", "tenants_secretversion"),
        walls.pointer("tenants_changedemand", "met_by_id", "tenants_secretversion"),
        walls.pointer("tenants_seedfingerprint", "account_id", "tenants_sharedaccount"),
        walls.pointer("tenants_secretversion", "repeats_id", "tenants_secretversion"),
        walls.pointer("tenants_secretversion", "entered_by_id", "technicians_technician"),
    ]
