"""No row may point to a row of another reseller: composite foreign keys, checked by the database itself.

Django has no composite foreign keys, so these lie beside the ordinary ones. They are checked at commit.
"""

from django.db import migrations

WALLED = ["tenants_customer", "tenants_tenant", "tenants_sharedaccount", "tenants_method", "tenants_secret",
          "tenants_secretversion", "tenants_run", "tenants_target"]
POINTERS = [
    ("tenants_tenant", "customer_id", "tenants_customer"),
    ("tenants_sharedaccount", "tenant_id", "tenants_tenant"),
    ("tenants_method", "account_id", "tenants_sharedaccount"),
    ("tenants_secret", "account_id", "tenants_sharedaccount"),
    ("tenants_secretversion", "secret_id", "tenants_secret"),
    ("tenants_finding", "tenant_id", "tenants_tenant"),
    ("tenants_finding", "account_id", "tenants_sharedaccount"),
    ("tenants_target", "run_id", "tenants_run"),
    ("tenants_target", "account_id", "tenants_sharedaccount"),
    ("tenants_step", "target_id", "tenants_target"),
    ("tenants_step", "method_id", "tenants_method"),
    ("tenants_step", "version_id", "tenants_secretversion"),
]


def key(table):
    return migrations.RunSQL(
        f"ALTER TABLE {table} ADD CONSTRAINT {table}_wall UNIQUE (reseller_id, id)",
        f"ALTER TABLE {table} DROP CONSTRAINT {table}_wall",
    )


def pointer(table, column, to):
    name = f"{table}_{column}_wall"
    return migrations.RunSQL(
        f"ALTER TABLE {table} ADD CONSTRAINT {name} FOREIGN KEY (reseller_id, {column}) "
        f"REFERENCES {to} (reseller_id, id) DEFERRABLE INITIALLY DEFERRED",
        f"ALTER TABLE {table} DROP CONSTRAINT {name}",
    )


class Migration(migrations.Migration):
    dependencies = [("tenants", "0001_initial")]
    operations = [*(key(table) for table in WALLED), *(pointer(*p) for p in POINTERS)]
