"""The database keeps the ledger append-only, whoever is connected, and knows the hash of every body."""

from django.db import migrations

KEEP = """
CREATE FUNCTION ledger_entry_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'The ledger is append-only: % of entry % is refused; nothing was changed.', TG_OP, OLD.id
        USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER ledger_entry_stays BEFORE UPDATE OR DELETE ON ledger_entry
    FOR EACH ROW EXECUTE FUNCTION ledger_entry_stays();
ALTER TABLE ledger_entry ADD CONSTRAINT ledger_entry_hash_of_body
    CHECK (leaf_hash = sha256('\\x00'::bytea || body));
"""

RELEASE = """
ALTER TABLE ledger_entry DROP CONSTRAINT ledger_entry_hash_of_body;
DROP TRIGGER ledger_entry_stays ON ledger_entry;
DROP FUNCTION ledger_entry_stays();
"""


class Migration(migrations.Migration):
    dependencies = [("ledger", "0001_initial")]

    operations = [migrations.RunSQL(KEEP, RELEASE)]
