"""Tables: every cell is there, in its column, in a terminal and in a notebook."""

import html.parser
import math

import pytest

from equinet.numerics.tables import Table, Tabular, count_cell, error_cell

ROWS = (("C4", "4", "", "rotations"), "finite too", ("D4", "8", "", "and <mirrors>"))
TABLE = Table("Groups\nof the plane", ("name", "order", "none", "what"), "<>><", ROWS, notes=("x",))


def test_the_text_is_aligned_and_empty_columns_are_left_out():
    assert str(TABLE).splitlines() == [
        "Groups",
        "of the plane",
        "name  order  what",
        "--------------------------",
        "C4        4  rotations",
        "finite too",
        "D4        8  and <mirrors>",
        "x",
    ]


def test_a_total_stands_below_a_rule():
    text = str(Table("", ("a", "b"), "<>", (("x", "1"),), total=("all", "1")))
    assert text.splitlines() == ["a    b", "------", "x    1", "------", "all  1"]


WORDS = " ".join(f"word{i}" for i in range(40))


def test_long_words_are_folded_and_numbers_are_not():
    """All of it is there, on lines of at most 100 characters, unless numbers need more."""
    lines = str(Table("", ("n", "text"), "><", (("1", WORDS), ("22", "short")))).splitlines()
    start = lines[0].index("text")
    assert max(map(len, lines)) <= 100 and lines[-1] == "22  short"
    assert " ".join(line[start:] for line in lines[2:-1]) == WORDS
    wide = Table("", ("n", "text"), "><", (("1" * 120, "short"),))
    assert str(wide).splitlines()[-1] == "1" * 120 + "  short"


class Cells(html.parser.HTMLParser):
    """The text and the style of every cell."""

    def __init__(self, text):
        super().__init__()
        self.rows, self.styles, self.open = [], [], False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        if tag == "tr":
            self.rows.append([])
        self.open = tag in ("td", "th")
        if self.open:
            self.rows[-1].append("")
            self.styles.append(dict(attributes).get("style", ""))

    def handle_endtag(self, tag):
        self.open = self.open and tag not in ("td", "th")

    def handle_data(self, data):
        if self.open:
            self.rows[-1][-1] += data


def test_all_long_words_are_folded():
    table = Table("t", ("layer", "n", "verdict"), "<><", ((80 * "x", "12", 20 * "word "),))
    lines = str(table).splitlines()
    assert max(map(len, lines)) == 100 and "".join(lines).count("x") == 80
    wider = Table("t", ("layer", "n"), "<>", ((30 * "x", "1"),))
    assert 30 * "x" in str(wider)  # there is room


def test_a_table_without_rows_has_its_heads():
    table = Table("t", ("layer", "n"), "<>", ())
    assert str(table).splitlines() == ["t", "layer  n", "--------"]
    assert table._repr_html_().count("</th>") == 2


def test_the_html_has_the_same_cells():
    text = TABLE._repr_html_()
    assert "&lt;mirrors&gt;" in text and "Groups<br>of the plane" in text
    assert Cells(text).rows == [
        ["name", "order", "what"], ["C4", "4", "rotations"], ["finite too"],
        ["D4", "8", "and <mirrors>"],
    ]  # fmt: skip


def test_the_html_cuts_nothing():
    """A wide table scrolls; only a long column of words is folded."""
    cells = Cells(Table("", ("n", "text"), "><", (("1", WORDS),))._repr_html_())
    assert cells.rows[1] == ["1", WORDS]
    assert ["nowrap" in style for style in cells.styles] == [True, False, True, False]
    assert TABLE._repr_html_().startswith('<div style="overflow-x:auto">')
    assert all("nowrap" in style for style in Cells(TABLE._repr_html_()).styles if style)


def test_what_has_a_table_shows_it():
    class Groups(Tabular):
        def table(self):
            return TABLE

    assert str(Groups()) == str(TABLE) and Groups()._repr_html_() == TABLE._repr_html_()
    with pytest.raises(TypeError, match="abstract"):
        Tabular()


def test_cells():
    assert [error_cell(v) for v in (math.nan, 0.0, 1.26e-3)] == ["-", "0", "1.3e-03"]
    counts = [count_cell(n) for n in (0, 999, 1000, 12_345, 999_700, 3 * 10**6, 10**10, 10**13)]
    assert counts == ["0", "999", "1 k", "12.3 k", "1 M", "3 M", "10 G", "10 T"]
