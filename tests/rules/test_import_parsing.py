"""From bytes to rows: what people's files look like, and where each trouble is said to be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msp.errors import BadInput
from msp.importing import reader
from msp.importing.partner_center import COLUMNS as PARTNER_CENTER
from msp.importing.reader import delimiter_of, fold, read
from msp.importing.sheet import Column, Sheet
from tests.support.reference import REFERENCE, reference_needed

COLUMNS = (
    Column("tenant", "", required=True),
    Column("upn", "", required=True, also=("Account",)),
    Column("password", ""),
)


def sheet(text: str, encoding: str = "utf-8") -> Sheet:
    return read(text.encode(encoding), COLUMNS)


def cells(found: Sheet) -> list[tuple[int, str, str, str]]:
    return [(line.number, line.exact("tenant"), line.exact("upn"), line.exact("password")) for line in found.lines]


def stopped(data: bytes | str) -> str:
    with pytest.raises(BadInput) as stop:
        read(data if isinstance(data, bytes) else data.encode(), COLUMNS)
    return str(stop.value)


class TheEncoding:
    def test_a_byte_order_mark_is_no_part_of_the_first_header(self):
        found = sheet("\ufefftenant,upn\nA,a\n")
        assert cells(found) == [(2, "A", "a", "")]
        assert (found.encoding, found.guessed) == ("UTF-8", False)

    @pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
    def test_utf_16_is_known_by_its_mark(self, encoding):
        found = sheet("\ufefftenant\tupn\r\nÄ\tü\r\n", encoding)
        assert cells(found) == [(2, "Ä", "ü", "")]
        assert found.encoding == "UTF-16"

    def test_what_is_not_unicode_is_read_as_windows_1252_and_said_to_be_a_guess(self):
        found = sheet("tenant;upn;password\r\nMüller;a;Kennwort€\r\n", "cp1252")
        assert cells(found) == [(2, "Müller", "a", "Kennwort€")]
        assert found.guessed

    @pytest.mark.parametrize("data", [b"PK\x03\x04workbook", b"tenant\x00,upn\n", b"a,\x81\x8d\xff", b"\xff\xfea"])
    def test_what_is_no_text_is_refused_with_the_way_out(self, data):
        assert "CSV (UTF-8)" in stopped(data)

    @pytest.mark.parametrize("data", [b"", b"\n\n  \n", b"\xef\xbb\xbf"])
    def test_an_empty_file_is_called_empty(self, data):
        assert "empty" in stopped(data)


class TheDelimiter:
    @pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
    def test_it_is_found_in_the_header_row(self, delimiter):
        found = sheet(f"tenant{delimiter}upn\nA{delimiter}a\n")
        assert found.delimiter == delimiter
        assert cells(found) == [(2, "A", "a", "")]

    def test_what_data_rows_hold_does_not_count(self):
        assert cells(sheet("tenant;upn;password\nA;a;1,2,3,4,5\n")) == [(2, "A", "a", "1,2,3,4,5")]

    def test_what_a_quoted_header_holds_does_not_count(self):
        assert delimiter_of('"tenant, as shown, there";upn\n') == ";"

    def test_the_separator_line_of_a_spreadsheet_wins_and_counts_as_a_line(self):
        assert cells(sheet("sep=|\ntenant|upn\nA|a\n")) == [(3, "A", "a", "")]

    def test_a_strange_separator_line_stops(self):
        assert "separator" in stopped("sep=x\ntenantxupn\n")


class TheLines:
    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    def test_every_line_end_is_one(self, end):
        assert cells(sheet(end.join(["tenant,upn", "A,a", "B,b"]))) == [(2, "A", "a", ""), (3, "B", "b", "")]

    def test_a_quoted_line_break_stays_and_the_numbers_go_on(self):
        found = sheet('tenant,upn,password\nA,a,"one\r\ntwo"\nB,b,x\n')
        assert cells(found) == [(2, "A", "a", "one\r\ntwo"), (4, "B", "b", "x")]

    def test_empty_lines_mean_nothing(self):
        assert cells(sheet("\n\ntenant,upn\n\nA,a\n,\n\nB,b\n")) == [(5, "A", "a", ""), (8, "B", "b", "")]

    def test_a_short_and_a_long_row_are_errors_of_their_own_line(self):
        found = sheet("tenant,upn,password\nA,a,p\nB,b\nC,c,p,extra\nD,d,p\n")
        assert [line.number for line in found.lines] == [2, 5]
        assert [(t.line, t.message.split()[3]) for t in found.broken] == [(3, "2"), (4, "4")]

    def test_quotes_that_do_not_match_are_an_error_of_their_line(self):
        found = sheet('tenant,upn\n"A"x,a\nB,b\n')
        assert [t.line for t in found.broken] == [2]
        assert [line.number for line in found.lines] == [3]

    def test_a_quote_that_is_never_closed_names_the_line_where_it_opens(self):
        found = sheet('tenant,upn\nA,a\nB,"b\nC,c\n')
        assert [t.line for t in found.broken] == [3]


class TheHeaders:
    def test_case_blanks_underscores_and_hyphens_make_no_difference(self):
        assert fold(" User_Principal-Name ") == fold("userPrincipalName")

    def test_another_spelling_is_the_same_column(self):
        assert cells(sheet("TENANT,account\nA,a\n")) == [(2, "A", "a", "")]

    def test_a_header_twice_stops_and_names_both_places(self):
        message = stopped("tenant,upn,Password,pass_word\nA,a,x,y\n")
        assert "columns 3 and 4" in message
        assert "Line 1" in message

    def test_two_spellings_of_one_column_are_the_same_header_twice(self):
        assert "columns 2 and 3" in stopped("tenant,upn,account\n")

    def test_a_missing_header_is_named(self):
        assert "upn" in stopped("tenant,password\nA,x\n").split("missing there: ")[1].split(".")[0]

    def test_a_file_without_headers_stops_and_does_not_take_the_first_row_for_them(self):
        assert "should name the columns" in stopped("contoso.example,admin,secret\n")

    def test_what_means_nothing_here_is_listed(self):
        assert sheet("tenant,upn,Colour,\nA,a,red,\n").ignored == ["Colour"]


class TheLimits:
    def test_too_many_bytes(self):
        assert "10 MB" in stopped(b"tenant,upn\n" + b"a" * reader.MAX_BYTES)

    def test_too_many_rows(self, monkeypatch):
        monkeypatch.setattr(reader, "MAX_ROWS", 3)
        assert len(sheet("tenant,upn\n" + "A,a\n" * 3).lines) == 3
        assert "more than 3 rows" in stopped("tenant,upn\n" + "A,a\n" * 4)

    def test_too_many_columns(self):
        assert "100 columns" in stopped(",".join(f"c{n}" for n in range(101)) + "\n")

    def test_a_cell_that_is_too_long_is_an_error_with_line_and_column(self):
        found = sheet("tenant,upn,password\nA,a," + "x" * (reader.MAX_CELL + 1) + "\nB,b,p\n")
        assert [(t.line, t.column) for t in found.broken] == [(2, "password")]
        assert [line.number for line in found.lines] == [3]


class APassword:
    @pytest.mark.parametrize(
        "password", [" lead", "trail ", "=SUM(1)", "+x", "-x", "@x", "'x", '"', "a,b", "\tx", "é€😀"]
    )
    def test_it_comes_out_as_it_went_in(self, password):
        quoted = '"' + password.replace('"', '""') + '"'
        assert cells(sheet(f"tenant,upn,password\nA,a,{quoted}\n")) == [(2, "A", "a", password)]

    @given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=80))
    def test_whatever_it_is(self, password):
        quoted = '"' + password.replace('"', '""') + '"'
        assert sheet(f"tenant,upn,password\nA,a,{quoted}\n").lines[0].exact("password") == password

    def test_it_is_in_no_representation_of_the_row(self):
        assert "hunter2" not in repr(sheet("tenant,upn,password\nA,a,hunter2\n"))


class EveryPublishedTrap:
    """The shared vectors: files as the products that people come from really write them."""

    @pytest.fixture(autouse=True)
    def _vectors(self) -> None:
        reference_needed()

    def data(self, name: str) -> bytes:
        return (REFERENCE / "vectors" / "csv" / f"{name}.csv").read_bytes()

    def test_the_partner_center_export_has_three_rows_of_two_tenants(self):
        found = read(self.data("partner_center_bom"), PARTNER_CENTER)
        assert not found.broken
        assert len(found.lines) == 3
        assert len({line.text("Microsoft ID") for line in found.lines}) == 2
        assert found.lines[1].text("Company name") == 'Fabrikam "East"'

    def test_duplicate_headers_stop(self):
        with pytest.raises(BadInput, match="columns 3 and 4"):
            read(self.data("duplicate_headers"), (Column("Username", "", required=True), Column("Password", "")))

    def test_semicolons_in_windows_1252(self):
        columns = (Column("Domäne", "", required=True), Column("Kennwort", ""))
        found = read(self.data("excel_semicolon_cp1252"), columns)
        assert found.guessed
        assert found.lines[0].exact("Kennwort") == 'Pa;ss"w0rd-€'

    def test_utf_16_with_a_separator_line(self):
        found = read(self.data("excel_sep_line_utf16"), COLUMNS)
        assert cells(found) == [(3, "Contoso", "admin@contoso.onmicrosoft.com", "=1+1")]

    def test_formula_cells_are_taken_as_they_are(self):
        columns = (Column("customer", "", required=True), Column("password", ""), Column("note", ""))
        found = read(self.data("formula_cells"), columns)
        assert [line.exact("password") for line in found.lines] == ["=SUM(1)", "+start", "-start", "@start"]
        assert found.lines[2].exact("note") == "tab\tfirst"
        assert found.lines[3].exact("customer") == "'=kept"

    def test_ragged_rows_with_bare_carriage_returns_are_named_by_line(self):
        found = read(self.data("ragged_and_cr"), COLUMNS)
        assert [line.number for line in found.lines] == [2]
        assert [t.line for t in found.broken] == [3, 4]
