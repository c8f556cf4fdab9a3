"""Secrets at rest: who can open them, and what happens when a key is missing, wrong, open to others or destroyed."""

from __future__ import annotations

import base64
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.db import IntegrityError, connection, transaction

from msp.errors import KeyTrouble
from msp.vault.database import Vault
from msp.vault.envelope import Place, key_id_of, side_by_side
from msp.vault.keepers.file import FileKeeper
from msp.vault.models import DataKey
from msp.vault.signing import evidence_key, public_pem

RESELLER, CONTOSO, FABRIKAM = uuid.uuid4(), uuid.uuid4(), uuid.uuid4()


def place(tenant: uuid.UUID | None = CONTOSO, reseller: uuid.UUID = RESELLER, version: int = 1) -> Place:
    return Place(str(reseller), str(tenant or ""), "secret_version", "admin", version)


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    return tmp_path / "keys"


@pytest.fixture
def vault(keys: Path) -> Vault:
    return Vault(FileKeeper(keys))


def another_process(keys: Path) -> Vault:
    """The same keys and database, with an empty memory."""
    return Vault(FileKeeper(keys))


@pytest.mark.django_db
class WhenASecretIsSealed:
    def test_another_process_opens_it(self, vault: Vault, keys: Path) -> None:
        envelope = vault.seal(b"Sommer2026!", place())
        assert another_process(keys).open(envelope, place()) == b"Sommer2026!"

    def test_a_tenant_has_one_data_key_and_no_other_tenant_has_it(self, vault: Vault) -> None:
        of_contoso = {key_id_of(vault.seal(b"x", place(version=number))) for number in range(5)}
        of_fabrikam = {key_id_of(vault.seal(b"x", place(FABRIKAM)))}
        of_the_reseller = {key_id_of(vault.seal(b"x", place(None))) for _ in range(2)}
        assert [len(of_contoso), len(of_fabrikam), len(of_the_reseller)] == [1, 1, 1]
        assert len(of_contoso | of_fabrikam | of_the_reseller) == 3

    @pytest.mark.parametrize(
        "elsewhere",
        [place(FABRIKAM), place(None), place(version=2), place(reseller=uuid.uuid4())],
        ids=["another tenant", "no tenant", "another version", "another reseller"],
    )
    def test_it_opens_nowhere_else(self, vault: Vault, elsewhere: Place) -> None:
        envelope = vault.seal(b"Sommer2026!", place())
        vault.seal(b"so that this place has a key too", elsewhere)
        with pytest.raises(KeyTrouble):
            vault.open(envelope, elsewhere)

    def test_no_key_is_in_the_database_in_clear(self, vault: Vault, keys: Path) -> None:
        vault.seal(b"x", place())
        row = DataKey.objects.get()
        root = base64.b64decode((keys / "root.key").read_bytes())
        bound = side_by_side(b"latchkey data key", bytes([1]), RESELLER.bytes, CONTOSO.bytes, row.id.bytes)
        data_key = FileKeeper(keys).unwrap(bytes(row.wrapped), row.root_key_id, bound, what="It")
        assert len(data_key) == len(root) == 32
        assert root not in row.wrapped
        assert data_key not in row.wrapped

    @pytest.mark.parametrize(
        ("elsewhere", "moved"),
        [
            (place(FABRIKAM), {"tenant_id": FABRIKAM}),
            (place(None), {"tenant_id": None}),
            (place(reseller=CONTOSO), {"reseller_id": CONTOSO}),
            (place(), {"id": FABRIKAM}),
        ],
        ids=["tenant", "no tenant", "reseller", "id"],
    )
    def test_a_row_of_a_key_moved_elsewhere_gives_no_key(
        self, vault: Vault, keys: Path, elsewhere: Place, moved: dict[str, uuid.UUID | None]
    ) -> None:
        vault.seal(b"x", place())
        DataKey.objects.update(**moved)
        with pytest.raises(KeyTrouble, match=r"Data key .* does not open"):
            another_process(keys).seal(b"x", elsewhere)

    def test_the_database_refuses_a_second_live_key(self, vault: Vault) -> None:
        for tenant in (CONTOSO, None):
            vault.seal(b"x", place(tenant))
            with pytest.raises(IntegrityError), transaction.atomic():
                DataKey.objects.create(reseller_id=RESELLER, tenant_id=tenant, wrapped=b"other", root_key_id="0")


@pytest.mark.django_db
class WhenADataKeyIsRenewed:
    def test_the_new_one_seals_and_the_old_one_opens(self, vault: Vault, keys: Path) -> None:
        before = vault.seal(b"before", place())
        old = DataKey.objects.get()
        assert vault.renew(old)
        after = vault.seal(b"after", place(version=2))
        assert key_id_of(after) == DataKey.objects.live().get().pk.bytes != old.pk.bytes
        reader = another_process(keys)
        assert (reader.open(before, place()), reader.open(after, place(version=2))) == (b"before", b"after")

    def test_it_is_renewed_once_whoever_asks(self, vault: Vault) -> None:
        vault.seal(b"x", place())
        old = DataKey.objects.get()
        assert [vault.renew(old), vault.renew(old)] == [True, False]
        assert DataKey.objects.that_open().count() == 2

    def test_the_root_key_is_checked_against_the_old_one_too(self, vault: Vault) -> None:
        vault.seal(b"x", place())
        old = DataKey.objects.get()
        vault.renew(old)
        DataKey.objects.filter(pk=old.pk).update(wrapped=bytes(old.wrapped)[:-1] + b"?")
        with pytest.raises(KeyTrouble, match=str(old.pk)):
            vault.check_root_key()

    def test_destroying_the_tenants_keys_destroys_both(self, vault: Vault) -> None:
        sealed = [vault.seal(b"before", place())]
        vault.renew(DataKey.objects.get())
        sealed.append(vault.seal(b"after", place()))
        assert vault.destroy(RESELLER, CONTOSO) == 2
        for envelope in sealed:
            with pytest.raises(KeyTrouble, match="was destroyed on"):
                vault.open(envelope, place())
        assert {bytes(row.wrapped) for row in DataKey.objects.all()} == {b""}


@pytest.mark.django_db(transaction=True)
class WhenASecretIsSealedOutsideATransaction:
    def test_it_is_refused_because_nobody_would_hold_its_key(self, vault: Vault) -> None:
        with pytest.raises(KeyTrouble, match="belongs into the transaction that stores it"):
            vault.seal(b"x", place())
        assert not DataKey.objects.exists()


@pytest.mark.django_db
class WhenATenantsKeyIsDestroyed:
    def test_its_secrets_open_no_more_even_in_a_process_that_used_the_key_before(
        self, vault: Vault, keys: Path
    ) -> None:
        envelope = vault.seal(b"Sommer2026!", place())
        assert another_process(keys).destroy(RESELLER, CONTOSO)
        with pytest.raises(KeyTrouble, match="was destroyed on"):
            vault.open(envelope, place())

    def test_nothing_of_the_key_stays_in_the_database(self, vault: Vault) -> None:
        vault.seal(b"x", place())
        vault.destroy(RESELLER, CONTOSO)
        assert bytes(DataKey.objects.get().wrapped) == b""

    def test_other_tenants_keep_theirs(self, vault: Vault) -> None:
        envelope = vault.seal(b"Winter2026!", place(FABRIKAM))
        vault.seal(b"x", place())
        vault.destroy(RESELLER, CONTOSO)
        assert vault.open(envelope, place(FABRIKAM)) == b"Winter2026!"

    def test_where_no_key_is_nothing_is_destroyed(self, vault: Vault) -> None:
        assert vault.destroy(RESELLER, CONTOSO) == 0


@pytest.mark.django_db(transaction=True)
class WhenTwoWorkersSealTheFirstSecretOfATenant:
    """The second one comes while the first one's transaction is still open."""

    @pytest.mark.parametrize("first_one_commits", [True, False])
    def test_the_second_one_waits_and_both_agree_on_the_key(self, vault: Vault, first_one_commits: bool) -> None:
        sealed: list[bytes] = []
        second = in_a_thread(transaction.atomic(lambda: sealed.append(vault.seal(b"second", place(version=2)))))
        with transaction.atomic():
            vault.seal(b"first", place())
            second.start()
            wait_until_somebody_waits()
            transaction.set_rollback(not first_one_commits)
        second.join(timeout=20)
        assert vault.open(sealed[0], place(version=2)) == b"second"
        assert key_id_of(sealed[0]) == DataKey.objects.live().get().id.bytes


def in_a_thread(work: Callable[[], object]) -> threading.Thread:
    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    return threading.Thread(target=run)


def wait_until_somebody_waits() -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted AND pid <> pg_backend_pid()")
            if cursor.fetchone()[0]:
                return
        time.sleep(0.01)
    raise AssertionError("The second worker did not wait for the first one.")


@pytest.mark.django_db
class TheRootKey:
    def test_is_made_on_first_use_for_the_owner_alone(self, vault: Vault, keys: Path) -> None:
        vault.seal(b"x", place())
        assert (keys / "root.key").stat().st_mode & 0o777 == 0o600
        assert keys.stat().st_mode & 0o777 == 0o700
        assert [file.name for file in keys.iterdir()] == ["root.key"]

    def test_is_the_same_for_everyone_who_makes_it_at_once(self, keys: Path) -> None:
        makers = [in_a_thread(FileKeeper(keys).make_unless_there) for _ in range(8)]
        for maker in makers:
            maker.start()
        for maker in makers:
            maker.join()
        first = (keys / "root.key").read_bytes()
        FileKeeper(keys).make_unless_there()
        assert (keys / "root.key").read_bytes() == first
        assert len(base64.b64decode(first)) == 32

    def test_that_others_may_read_is_refused_with_what_to_do(self, vault: Vault, keys: Path) -> None:
        envelope = vault.seal(b"x", place())
        (keys / "root.key").chmod(0o640)
        with pytest.raises(KeyTrouble, match=r"mode 0640.*chmod 0600"):
            another_process(keys).open(envelope, place())

    def test_in_a_directory_that_others_may_enter_is_refused(self, vault: Vault, keys: Path) -> None:
        envelope = vault.seal(b"x", place())
        keys.chmod(0o755)
        with pytest.raises(KeyTrouble, match=r"mode 0755.*chmod 0700"):
            another_process(keys).open(envelope, place())

    def test_that_is_missing_is_not_made_anew_over_existing_secrets(self, vault: Vault, keys: Path) -> None:
        envelope = vault.seal(b"x", place())
        (keys / "root.key").unlink()
        with pytest.raises(KeyTrouble, match="is missing"):
            another_process(keys).open(envelope, place())
        for tenant in (CONTOSO, FABRIKAM):
            with pytest.raises(KeyTrouble, match="is missing"):
                another_process(keys).seal(b"y", place(tenant))
        assert not (keys / "root.key").exists()

    def test_of_another_installation_is_named_as_such(self, vault: Vault, keys: Path, tmp_path: Path) -> None:
        envelope = vault.seal(b"x", place())
        FileKeeper(tmp_path / "other").make_unless_there()
        (tmp_path / "other" / "root.key").replace(keys / "root.key")
        with pytest.raises(KeyTrouble, match="is not the root key"):
            another_process(keys).open(envelope, place())

    @pytest.mark.parametrize("content", [b"", b"rubbish", base64.b64encode(bytes(31)), bytes(32)], ids=repr)
    def test_that_was_damaged_is_refused_and_not_quoted(self, vault: Vault, keys: Path, content: bytes) -> None:
        envelope = vault.seal(b"x", place())
        (keys / "root.key").write_bytes(content)
        with pytest.raises(KeyTrouble, match="does not hold a root key") as refusal:
            another_process(keys).open(envelope, place())
        assert "rubbish" not in str(refusal.value)

    def test_that_cannot_be_made_says_where(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("in the way")
        with pytest.raises(KeyTrouble, match=r"file/keys/root\.key"):
            Vault(FileKeeper(tmp_path / "file" / "keys")).seal(b"x", place())


@pytest.mark.django_db
class TheCheckOfTheRootKey:
    def test_is_content_with_a_fresh_installation_and_makes_nothing(self, vault: Vault, keys: Path) -> None:
        vault.check_root_key()
        assert not keys.exists()

    def test_reports_a_key_open_to_others_before_anything_is_sealed(self, vault: Vault, keys: Path) -> None:
        FileKeeper(keys).make_unless_there()
        (keys / "root.key").chmod(0o644)
        with pytest.raises(KeyTrouble, match="mode 0644"):
            vault.check_root_key()

    def test_is_content_while_the_key_opens_every_data_key(self, vault: Vault, keys: Path) -> None:
        vault.seal(b"x", place())
        vault.seal(b"x", place(FABRIKAM))
        another_process(keys).check_root_key()

    def test_reports_a_missing_key(self, vault: Vault, keys: Path) -> None:
        vault.seal(b"x", place())
        (keys / "root.key").unlink()
        with pytest.raises(KeyTrouble, match="is missing"):
            vault.check_root_key()

    def test_reports_one_damaged_data_key_among_good_ones(self, vault: Vault) -> None:
        vault.seal(b"x", place())
        vault.seal(b"x", place(FABRIKAM))
        damaged = DataKey.objects.get(tenant_id=FABRIKAM)
        DataKey.objects.filter(pk=damaged.pk).update(wrapped=bytes(damaged.wrapped)[:-1] + b"?")
        with pytest.raises(KeyTrouble, match=str(damaged.pk)):
            vault.check_root_key()


class TheKeyThatSignsEvidence:
    def test_is_made_once_for_the_owner_alone_with_its_public_half_beside_it(self, keys: Path) -> None:
        key = evidence_key(keys)
        assert (keys / "evidence.key").stat().st_mode & 0o777 == 0o600
        assert (keys / "evidence.pub").read_bytes() == public_pem(key.public_key())
        assert public_pem(evidence_key(keys).public_key()) == public_pem(key.public_key())

    def test_that_was_exchanged_exchanges_its_public_half(self, keys: Path, tmp_path: Path) -> None:
        evidence_key(keys)
        other = evidence_key(tmp_path / "other")
        (tmp_path / "other" / "evidence.key").replace(keys / "evidence.key")
        evidence_key(keys)
        assert (keys / "evidence.pub").read_bytes() == public_pem(other.public_key())

    def test_of_another_kind_is_refused(self, keys: Path) -> None:
        evidence_key(keys)
        other_kind = generate_private_key(SECP256R1())
        for content in (b"rubbish", other_kind.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())):
            (keys / "evidence.key").write_bytes(content)
            with pytest.raises(KeyTrouble, match="does not hold an Ed25519 key"):
                evidence_key(keys)
