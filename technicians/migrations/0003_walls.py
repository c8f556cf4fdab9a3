"""No row may point to a row of another reseller: composite foreign keys, checked by the database itself."""

from importlib import import_module

from django.db import migrations

walls = import_module("tenants.migrations.0002_walls")

POINTERS = [
    ("technicians_technician", "customer_id", "tenants_customer"),
    ("technicians_assignment", "technician_id", "technicians_technician"),
    ("technicians_assignment", "account_id", "tenants_sharedaccount"),
    ("technicians_authenticator", "technician_id", "technicians_technician"),
    ("technicians_authenticator", "method_id", "tenants_method"),
    ("technicians_enrolment", "technician_id", "technicians_technician"),
    ("technicians_enrolment", "account_id", "tenants_sharedaccount"),
    ("technicians_reveal", "technician_id", "technicians_technician"),
    ("technicians_reveal", "version_id", "tenants_secretversion"),
    ("technicians_offboarding", "technician_id", "technicians_technician"),
    ("technicians_offboarding", "run_id", "tenants_run"),
    ("tenants_run", "requested_by_id", "technicians_technician"),
]


class Migration(migrations.Migration):
    dependencies = [("technicians", "0002_initial"), ("tenants", "0002_walls")]
    operations = [walls.key("technicians_technician"), *(walls.pointer(*p) for p in POINTERS)]
