"""What an enrolment needs at the directory: tokens of our own, policies, who enrolled a seed. The previous release ignores them."""

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
        ('tenants', '0005_passwords'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='EnrolmentPolicy',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('our_seed', models.BooleanField(default=True, verbose_name='With a seed that Latchkey chooses')),
                ('microsoft_page', models.BooleanField(default=True, verbose_name="On Microsoft's page")),
                ('kept_here', models.BooleanField(default=False, verbose_name='Codes kept here')),
                ('claims', models.BooleanField(default=True, verbose_name='A method that is there already may be claimed')),
                ('passes', models.BooleanField(default=True, verbose_name='Temporary Access Passes may be issued')),
                ('duplicates', models.BooleanField(default=False, verbose_name='A second device with the same seed may be declared')),
                ('keep_for_later_days', models.PositiveIntegerField(default=0, validators=[django.core.validators.MaxValueValidator(30)], verbose_name='Days in which a person may see their own seed again')),
                ('accounts_per_code', models.PositiveIntegerField(choices=[(10, 'Ten accounts in a QR code'), (5, 'Five accounts in a QR code')], default=10, verbose_name='In bulk')),
                ('files', models.BooleanField(default=False, verbose_name='Encrypted files for authenticator apps')),
                ('minutes_on_screen', models.PositiveIntegerField(default=10, validators=[django.core.validators.MinValueValidator(2), django.core.validators.MaxValueValidator(60)], verbose_name='Minutes until an enrolment on screen expires')),
                ('changed_at', models.DateTimeField(default=django.utils.timezone.now)),
            ],
        ),
        migrations.CreateModel(
            name='Registration',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('serial', models.CharField(max_length=64, unique=True)),
                ('display_name', models.CharField(max_length=128)),
                ('device_id', models.CharField(blank=True, max_length=100)),
                ('sealed', models.BinaryField(null=True)),
                ('made_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('proven_at', models.DateTimeField(blank=True, null=True)),
                ('activated_at', models.DateTimeField(blank=True, null=True)),
                ('given_up_at', models.DateTimeField(blank=True, null=True)),
                ('given_up_because', models.TextField(blank=True, verbose_name='Given up because')),
                ('cleaned_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'ordering': ['-made_at'],
            },
        ),
        migrations.AddField(
            model_name='seedfingerprint',
            name='holder',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='seed_fingerprints', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='sharedaccount',
            name='mfa_state',
            field=models.CharField(blank=True, choices=[('disabled', 'Disabled'), ('enabled', 'Enabled'), ('enforced', 'Enforced')], db_default='', max_length=10),
        ),
        migrations.AddField(
            model_name='sharedaccount',
            name='mfa_state_read_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='tenant',
            name='tokens_problem',
            field=models.TextField(blank=True, db_default=''),
        ),
        migrations.AddField(
            model_name='tenant',
            name='tokens_tried_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AlterField(
            model_name='finding',
            name='kind',
            field=models.CharField(choices=[('unknown_method', 'A method that belongs to nobody'), ('push_on_shared', 'Push approval on a shared account'), ('no_connection', 'No connection to the tenant'), ('account_missing', 'The account is not in the directory'), ('run_problem', 'A step of a run needs a person'), ('check_failed', 'The tenant check found something wrong'), ('password_doubtful', 'The password was changed outside Latchkey'), ('rotation_failed', 'The password could not be changed'), ('shared_seed', 'A shared seed: replace it by independent authenticators'), ('token_left_over', "A token of ours is left over in the tenant's inventory"), ('unusual_reveals', 'Unusually many passwords were shown to one person')], max_length=30),
        ),
        migrations.AlterField(
            model_name='run',
            name='kind',
            field=models.CharField(choices=[('offboarding', 'Offboarding'), ('rotation', 'Rotation'), ('enrolment', 'Enrolment'), ('lost_device', 'Lost phone'), ('new_phone', 'New phone'), ('move', 'Assignment ended'), ('suspension', 'Suspension'), ('take_over', 'Removal of unknown methods'), ('clean_up', 'Clean-up of tokens')], max_length=20),
        ),
        migrations.AlterField(
            model_name='step',
            name='kind',
            field=models.CharField(choices=[('rotate_password', 'Change the password'), ('remove_method', 'Remove the authenticator'), ('revoke_sessions', 'End the sessions'), ('prove', 'Read back what is true'), ('reshare', 'Hand over the new password'), ('second_look', 'Second look'), ('create_token', 'Make the token'), ('activate_token', 'Activate the token'), ('delete_token', 'Take the token away')], max_length=20),
        ),
        migrations.AddConstraint(
            model_name='seedfingerprint',
            constraint=models.UniqueConstraint(condition=models.Q(('holder__isnull', False)), fields=('reseller', 'digest'), name='an_enrolled_seed_is_unique'),
        ),
        migrations.AddField(
            model_name='enrolmentpolicy',
            name='account',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='enrolment_policies', to='tenants.sharedaccount'),
        ),
        migrations.AddField(
            model_name='enrolmentpolicy',
            name='changed_by',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='enrolmentpolicy',
            name='group',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='enrolment_policies', to='tenants.tenantgroup'),
        ),
        migrations.AddField(
            model_name='enrolmentpolicy',
            name='reseller',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='enrolment_policies', to='tenants.reseller'),
        ),
        migrations.AddField(
            model_name='enrolmentpolicy',
            name='tenant',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='enrolment_policies', to='tenants.tenant'),
        ),
        migrations.AddField(
            model_name='registration',
            name='account',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='registrations', to='tenants.sharedaccount'),
        ),
        migrations.AddField(
            model_name='registration',
            name='holder',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='registrations', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='registration',
            name='method',
            field=models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='registration', to='tenants.method'),
        ),
        migrations.AddField(
            model_name='registration',
            name='reseller',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenants.reseller'),
        ),
        migrations.AddField(
            model_name='step',
            name='registration',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='steps', to='tenants.registration'),
        ),
        migrations.AddConstraint(
            model_name='step',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('kind__in', ['create_token', 'activate_token', 'delete_token']), _negated=True), ('registration__isnull', False), _connector='OR'), name='a_token_step_names_its_token'),
        ),
        migrations.AddConstraint(
            model_name='enrolmentpolicy',
            constraint=models.UniqueConstraint(fields=('reseller', 'group', 'tenant', 'account'), name='one_enrolment_policy_per_place', nulls_distinct=False),
        ),
        migrations.AddConstraint(
            model_name='enrolmentpolicy',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('group', None), ('tenant', None)), models.Q(('account', None), ('group', None)), models.Q(('account', None), ('tenant', None)), _connector='OR'), name='an_enrolment_policy_has_one_place'),
        ),
        migrations.AddConstraint(
            model_name='registration',
            constraint=models.CheckConstraint(condition=models.Q(('sealed__isnull', True), models.Q(('activated_at__isnull', True), ('given_up_at__isnull', True)), _connector='OR'), name='no_seed_after_the_end'),
        ),
        migrations.AddConstraint(
            model_name='registration',
            constraint=models.CheckConstraint(condition=models.Q(('activated_at__isnull', True), ('proven_at__isnull', False), _connector='OR'), name='proven_before_active'),
        ),
        walls.key("tenants_registration"),
        walls.pointer("tenants_registration", "account_id", "tenants_sharedaccount"),
        walls.pointer("tenants_registration", "holder_id", "technicians_technician"),
        walls.pointer("tenants_registration", "method_id", "tenants_method"),
        walls.pointer("tenants_enrolmentpolicy", "group_id", "tenants_tenantgroup"),
        walls.pointer("tenants_enrolmentpolicy", "tenant_id", "tenants_tenant"),
        walls.pointer("tenants_enrolmentpolicy", "account_id", "tenants_sharedaccount"),
        walls.pointer("tenants_enrolmentpolicy", "changed_by_id", "technicians_technician"),
        walls.pointer("tenants_seedfingerprint", "holder_id", "technicians_technician"),
        walls.pointer("tenants_step", "registration_id", "tenants_registration"),
    ]
