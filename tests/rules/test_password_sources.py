"""The exports of other products: by what each is known, what is read of it, and what is passed over."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest

from msp.errors import BadInput
from msp.importing import reader
from msp.importing.choices import MAPPED, NONE, AskForColumns, Choices
from msp.importing.oddities import oddities
from msp.importing.sources import export as exports
from msp.importing.sources.export import Export
from msp.importing.sources.known import SOURCES, read_export, recognised
from msp.importing.sources.mapped import MASK, columns_by_words, shown
from msp.importing.sources.record import PassedOver, Record

USER = "admin@contoso.example"


def one(text: str | bytes, choices: Choices = NONE) -> Record:
    (record,) = many(text, choices)
    return record


def many(text: str | bytes, choices: Choices = NONE) -> list[Record]:
    export = Export(text if isinstance(text, bytes) else text.encode())
    _title, found = read_export(export, choices)
    assert found.broken == []
    return found.records


def stopped(data: bytes | str, choices: Choices = NONE) -> str:
    with pytest.raises(BadInput) as stop:
        read_export(Export(data if isinstance(data, bytes) else data.encode()), choices)
    return str(stop.value)


def facts(record: Record) -> tuple[str, str, str, str, tuple[str, ...]]:
    return record.title, record.user_name, record.password, record.seed, record.places


TABLES = {
    "bitwarden": (
        "collections,type,name,notes,fields,reprompt,login_uri,login_username,login_password,login_totp\n"
        f"Contoso,login,GA,n,,0,,{USER}, pw ,S\n"
    ),
    "1password": (
        f"Title,Url,Username,Password,OTPAuth,Favorite,Archived,Tags,Notes\nGA,,{USER}, pw ,S,false,false,Contoso,n\n"
    ),
    "keepassxc": (
        f'"Group","Title","Username","Password","URL","Notes","TOTP"\n"Contoso","GA","{USER}"," pw ","","","S"\n'
    ),
    "passbolt": f"Title,Username,URL,Password,Notes,Group,TOTP\nGA,{USER},, pw ,n,Contoso,S\n",
    "lastpass": f"url,username,password,totp,extra,name,grouping,fav\n,{USER}, pw ,S,n,GA,Contoso,0\n",
    "dashlane": (
        f"username,username2,username3,title,password,note,url,category,otpSecret\nshort,{USER},,GA, pw ,n,,Contoso,S\n"
    ),
    "proton-pass": (
        "type,name,url,autofillUrls,email,username,password,note,totp,createTime,modifyTime,vault\n"
        f"login,GA,,,{USER},, pw ,n,S,1,2,Contoso\n"
    ),
    "it-glue": f"id,organization,name,username,password,url,notes,otp_secret\n7,Contoso,GA,{USER}, pw ,,n,S\n",
    "hudu": (
        f"name,company_name,username,password,otp_secret,url,description,password_type\nGA,Contoso,{USER}, pw ,S,,n,\n"
    ),
    "itportal": f"Name,URL,Username,Password,company,2fasecret\nGA,,{USER}, pw ,Contoso,S\n",
}
SEEDLESS = {
    "keepass": (f'"Account","Login Name","Password","Web Site","Comments"\n"GA","{USER}"," pw ","","n"\n', ()),
    "passportal": (
        f"Client Name,Credential,Description,Username,Password\nContoso,GA,n,{USER}, pw \n",
        ("Contoso",),
    ),
    "itboost": (
        f"organization,name,username,password,resource_type,notes,server\nContoso,GA,{USER}, pw ,,n,srv\n",
        ("Contoso",),
    ),
}


class EveryProduct:
    @pytest.mark.parametrize("name", TABLES)
    def test_is_known_by_its_header_and_gives_the_entry_byte_for_byte(self, name):
        assert recognised(Export(TABLES[name].encode())).name == name
        assert facts(one(TABLES[name])) == ("GA", USER, " pw ", "S", ("Contoso",))

    @pytest.mark.parametrize("name", SEEDLESS)
    def test_without_seeds_is_known_as_well(self, name):
        text, places = SEEDLESS[name]
        assert recognised(Export(text.encode())).name == name
        assert facts(one(text)) == ("GA", USER, " pw ", "", places)

    @pytest.mark.parametrize("name", TABLES)
    def test_that_a_person_chose_is_read_the_same_way(self, name):
        assert one(TABLES[name], Choices(source=name)) == one(TABLES[name])

    @pytest.mark.parametrize("name", [name for name in SOURCES if not name.endswith("json")])
    def test_that_did_not_write_the_file_asks_for_the_columns(self, name):
        with pytest.raises(AskForColumns):
            read_export(Export(b"colour,size\nred,9\n"), Choices(source=name))

    def test_that_nobody_knows_is_said_with_those_that_are_known(self):
        assert "keepassxc" in stopped("a,b\n1,2\n", Choices(source="paper"))

    def test_never_gives_away_notes_or_secrets_in_a_representation(self):
        record = one(TABLES["lastpass"].replace(" pw ,S,n", "hunter2,JBSWY3DP,a-note"))
        assert (record.password, record.seed) == ("hunter2", "JBSWY3DP")
        assert not any(word in repr(record) for word in ("hunter2", "JBSWY3DP", "a-note"))

    def test_with_a_header_twice_stops(self):
        assert "columns 3 and 9" in stopped(TABLES["lastpass"].replace("fav", "fav,Password").replace(",0\n", ",0,x\n"))


class WhenAnEntryIsNothingForUs:
    @pytest.mark.parametrize(
        ("text", "why"),
        [
            (TABLES["bitwarden"].replace("Contoso,login", "Contoso,note"), PassedOver.NOTE),
            (TABLES["bitwarden"].replace("Contoso,login", "Contoso,card"), PassedOver.OTHER_TYPE),
            (TABLES["proton-pass"].replace("\nlogin,", "\ncreditCard,"), PassedOver.OTHER_TYPE),
            (TABLES["1password"].replace("false,false", "false,TRUE"), PassedOver.ARCHIVED),
            (TABLES["keepassxc"].replace('"Contoso"', '"Root/Papierkorb/Old"'), PassedOver.BIN),
            (TABLES["passbolt"].replace("Contoso", "Recycle Bin"), PassedOver.BIN),
            (TABLES["lastpass"].replace("\n,", "\nhttp://sn,"), PassedOver.NOTE),
        ],
    )
    def test_it_is_passed_over_for_a_reason(self, text, why):
        assert one(text).passed_over == why

    def test_a_customer_called_like_a_bin_deep_down_is_none(self):
        assert one(TABLES["passbolt"].replace("Contoso", "Root/Clients/Cestino")).passed_over is None


class TheTenantOfAnEntry:
    def test_is_what_a_field_of_bitwarden_names(self):
        text = TABLES["bitwarden"].replace(",n,,0", ',n,"pin: 1234\ntenant: contoso.onmicrosoft.com",0')
        assert one(text).tenant == "contoso.onmicrosoft.com"

    @pytest.mark.parametrize("value", ["1234", "hunter2!", "a secret"])
    def test_is_never_a_value_that_is_no_domain_and_no_id(self, value):
        assert one(TABLES["bitwarden"].replace(",n,,0", f",n,tenant: {value},0")).tenant == ""


class AnExportOfKeeper:
    ROW = f"Clients\\Contoso,GA,{USER}, pw ,https://x.example,note,Shared\\North,TFC:Keeper,S,Tenant,contoso.example\n"

    def test_is_known_by_its_shape(self):
        record = one(self.ROW)
        assert (record.title, record.user_name, record.password, record.seed) == ("GA", USER, " pw ", "S")
        assert (record.tenant, record.places) == (
            "contoso.example",
            ("Clients", "Contoso", "Clients\\Contoso", "Shared", "North", "Shared\\North"),
        )

    def test_is_read_with_commas_whatever_the_first_password_holds(self):
        assert one(self.ROW.replace(" pw ", ";;;;;;;;;;;;;;;")).password == ";;;;;;;;;;;;;;;"

    def test_names_a_row_of_another_shape(self):
        _title, found = read_export(Export((self.ROW * 12 + "a,b,c\n").encode()), NONE)
        assert (len(found.records), [t.line for t in found.broken]) == (12, [13])

    def test_is_not_any_table_with_seven_columns(self):
        for text in ("Folder,Title,Login,Password,url,Notes,x\n,,,,https://x.example,,\n", "1,2,3,4,5,6,7\n"):
            with pytest.raises(AskForColumns):
                read_export(Export(text.encode()), NONE)

    def test_is_not_looked_for_where_commas_part_nothing(self):
        text = "Title;Username;URL;Password;Notes;Group\n" + f"GA;{USER};;{',' * 150};;Contoso\n"
        assert one(text).password == "," * 150

    def test_in_json_has_its_seed_and_folders(self):
        item = {
            "title": "GA", "login": USER, "password": " pw ", "login_url": "https://x.example", "notes": "n",
            "folders": [{"shared_folder": "North"}, {"folder": "Clients\\Contoso"}],
            "custom_fields": {"$oneTimeCode": "S", "tenant": "contoso.example"},
        }  # fmt: skip
        record = one(json.dumps({"records": [item]}))
        assert facts(record)[:4] == ("GA", USER, " pw ", "S")
        assert record.tenant == "contoso.example"
        assert "Contoso" in record.places


class AnExportOfBitwardenInJson:
    def whole(self, **item: Any) -> str:
        login = {"username": USER, "password": " pw ", "totp": "S", "uris": [{"uri": "https://x.example"}]}
        items = [{"type": 1, "name": "GA", "folderId": "f", "collectionIds": ["c"], "login": login} | item]
        return json.dumps(
            {
                "encrypted": False,
                "folders": [{"id": "f", "name": "Contoso"}],
                "collections": [{"id": "c", "name": "North"}],
                "items": items,
            }
        )

    def test_has_the_names_of_folders_and_collections(self):
        assert facts(one(self.whole())) == ("GA", USER, " pw ", "S", ("Contoso", "North"))

    @pytest.mark.parametrize(
        ("item", "why"),
        [
            ({"type": 2}, PassedOver.NOTE),
            ({"type": 3}, PassedOver.OTHER_TYPE),
            ({"deletedDate": "2026-01-01T00:00:00Z"}, PassedOver.BIN),
            ({"archivedDate": "2026-01-01T00:00:00Z"}, PassedOver.ARCHIVED),
        ],
    )
    def test_passes_over_what_is_no_login(self, item, why):
        assert one(self.whole(**item)).passed_over == why

    @pytest.mark.parametrize("more", [{}, {"passwordProtected": True}])
    def test_that_is_encrypted_is_refused_with_the_way_out(self, more):
        text = json.dumps({"encrypted": True, "data": "2.abc", **more})
        assert "not .json (Encrypted)" in stopped(text)

    def test_names_an_item_that_it_cannot_read(self):
        _title, found = read_export(Export(self.whole(login={"password": 12345}).encode()), NONE)
        assert [t.line for t in found.broken] == [1]

    @pytest.mark.parametrize(
        "text", ['{"encrypted": false', "[" * 100_000, '{"a": 1}', '["x"]', '{"encrypted": false, "items": {}}']
    )
    def test_that_is_none_is_refused_without_a_trace(self, text):
        assert "Nothing was imported" in stopped(text)

    def test_that_says_one_thing_twice_is_refused(self):
        assert "twice" in stopped('{"encrypted": false, "items": [{"name": "a", "name": "b"}]}')


def archive(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as packed:
        for name, content in files.items():
            packed.writestr(name, content)
    return out.getvalue()


class AnArchive:
    TABLE = TABLES["it-glue"].encode()

    def test_of_it_glue_is_read_without_touching_a_disk(self):
        data = archive({"organizations.csv": b"x", "export/passwords.csv": self.TABLE, "documents.csv": b"x"})
        assert facts(one(data)) == ("GA", USER, " pw ", "S", ("Contoso",))

    @pytest.mark.parametrize(
        "files",
        [
            {"documents.csv": b"x"},
            {"a/passwords.csv": b"x", "b/passwords.csv": b"x"},
            {"passwords.csv": archive({"passwords.csv": b"x"})},
            {f"{n}.csv": b"" for n in range(exports.MAX_FILES)} | {"passwords.csv": b"x"},
        ],
    )
    def test_of_another_shape_is_refused(self, files):
        assert "Of archives, only" in stopped(archive(files))

    def test_that_unpacks_to_too_much_is_refused(self, monkeypatch):
        bomb = archive({"passwords.csv": b"a" * 200_000})
        monkeypatch.setattr(reader, "MAX_BYTES", 100_000)
        assert len(bomb) < 1000
        assert "Of archives, only" in stopped(bomb)

    def test_that_lies_about_its_size_is_refused(self):
        data = archive({"passwords.csv": b"a" * 200_000})
        lying = data.replace((200_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
        assert lying != data
        assert "Of archives, only" in stopped(lying)

    @pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
    def test_that_is_packed_in_a_way_that_cannot_be_unpacked_bit_by_bit_is_refused(self, method):
        assert "Of archives, only" in stopped(archive({"passwords.csv": self.TABLE}, method))

    @pytest.mark.parametrize("cut", [20, 60, 150])
    def test_that_is_cut_off_is_refused(self, cut):
        assert "Of archives, only" in stopped(archive({"passwords.csv": self.TABLE})[:cut])

    def test_that_is_a_workbook_is_called_one(self):
        assert "workbook" in stopped(archive({"[Content_Types].xml": b"", "passwords.csv": b"x"}))

    def test_that_is_a_keepass_database_is_called_one(self):
        assert "KeePass database" in stopped(b"\x03\xd9\xa2\x9a\x67\xfb\x4b\xb5rest")


class WhenAPersonSaysWhichColumnIsWhich:
    TEXT = f"Konto;Kennwort;Wert;Kunde\n{USER};geheim-1;geheim-2;Contoso\n"

    def test_columns_are_guessed_beforehand(self):
        found = shown(Export(self.TEXT.encode()))
        assert dict(found.guess) == {"upn": 0, "password": 1, "client": 3}
        assert [column.label for column in found.columns] == [
            "Column 1: Konto", "Column 2: Kennwort", "Column 3: Wert", "Column 4: Kunde",
        ]  # fmt: skip

    def test_what_may_be_a_secret_is_masked(self):
        found = shown(Export(self.TEXT.encode()))
        assert [column.sample for column in found.columns] == [[USER], [MASK], [MASK], ["Contoso"]]

    def test_a_first_row_that_may_be_data_is_not_shown(self):
        found = shown(Export(f"geheim-1,{USER}\ngeheim-2,{USER}\n".encode()))
        assert (found.header, [column.header for column in found.columns]) == (False, ["", ""])
        assert [column.sample for column in found.columns] == [[MASK, MASK], [USER, USER]]

    def test_a_header_that_is_there_twice_is_not_guessed(self):
        found = shown(Export(b"user,password,Password\na,b,c\n"))
        assert "password" not in found.guess
        assert found.doubles == ["password", "Password"]

    def test_a_first_row_without_names_is_read_as_data(self):
        choices = Choices(source=MAPPED, columns={"upn": 0, "password": 1}, header=False)
        assert [(r.line, r.user_name, r.password) for r in many("a@x.example,p\nb@x.example,q\n", choices)] == [
            (1, "a@x.example", "p"),
            (2, "b@x.example", "q"),
        ]

    @pytest.mark.parametrize(
        "columns", [{}, {"upn": 0}, {"password": 1}, {"upn": 0, "password": 0}, {"upn": 0, "password": 4}, {"x": 0}]
    )
    def test_what_does_not_suffice_is_asked_again(self, columns):
        with pytest.raises(AskForColumns):
            read_export(Export(self.TEXT.encode()), Choices(source=MAPPED, columns=columns))

    def test_a_command_line_names_them_by_header_or_number(self):
        choices = columns_by_words(Export(self.TEXT.encode()), {"username": "KONTO", "password": "2"}, header=True)
        assert dict(choices.columns) == {"upn": 0, "password": 1}

    @pytest.mark.parametrize(
        ("pairs", "why"),
        [({"upn": "Login"}, "no column"), ({"upn": "9"}, "no column"), ({"shoe": "Konto"}, "is no field")],
    )
    def test_a_command_line_that_names_nothing_is_told_so(self, pairs, why):
        with pytest.raises(BadInput, match=why):
            columns_by_words(Export(self.TEXT.encode()), pairs, header=True)

    def test_a_command_line_names_a_double_by_its_number(self):
        export = Export(b"user,password,Password\na,b,c\n")
        with pytest.raises(BadInput, match="2 times"):
            columns_by_words(export, {"upn": "user", "password": "password"}, header=True)
        assert columns_by_words(export, {"upn": "user", "password": "3"}, header=True).columns["password"] == 2

    def test_choices_come_back_from_where_they_are_kept(self):
        choices = Choices("mapped", {"upn": 1}, False, {7: "an id"}, frozenset({3}))
        assert Choices.from_json(json.loads(json.dumps(choices.as_json()))) == choices
        assert Choices.from_json({}) == NONE


class TheLimits:
    def test_too_many_items(self, monkeypatch):
        monkeypatch.setattr(reader, "MAX_ROWS", 2)
        text = json.dumps({"encrypted": False, "items": [{"type": 1, "login": {}}] * 3})
        assert "more than 2 rows" in stopped(text)

    def test_too_many_bytes(self):
        assert "10 MB" in stopped(b"a" * (reader.MAX_BYTES + 1))
        assert "10 MB" in stopped(reader.ZIP_START + b"a" * reader.MAX_BYTES)

    def test_no_message_quotes_a_cell_of_a_first_row_that_may_be_data(self):
        text = AnExportOfKeeper.ROW.replace(" pw ", "hunter2") + f",,,{'x' * (reader.MAX_CELL + 1)},,,\n"
        _title, found = read_export(Export(text.encode()), Choices(source="keeper"))
        assert [(t.line, t.column) for t in found.broken] == [(2, "")]


class APasswordThatLooksOdd:
    @pytest.mark.parametrize(
        ("password", "word"),
        [
            (" x", "blank"),
            ("x\n", "blank"),
            ("1.23E+11", "spreadsheet"),
            ("2026-03-01", "spreadsheet"),
            ("12345", "zero"),
            ("a&amp;b", "&amp;"),
            ("&#39;", "&amp;"),
            ("x" * 257, "longer"),
        ],
    )
    def test_is_said(self, password, word):
        (sentence,) = oddities(password, guessed=False)
        assert word in sentence

    @pytest.mark.parametrize("password", ["012345", "=SUM(1)", "+x", "a & b", "&copy", "x" * 256, "é"])
    def test_is_not_said_without_reason(self, password):
        assert oddities(password, guessed=False) == []
