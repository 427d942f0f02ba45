"""Pretrained text is one line of visible characters, however hostile, and of bounded length."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from support.hostile import texts

from mlrq.errors import MESSAGE, NAME, columns, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text, 'quoted' [/red] :smile:", "plain text, 'quoted' [/red] :smile:"),
        ("two\nlines\r\x85\u2028", r"two\nlines\r\x85\u2028"),
        ("\x1b[31mred\x07\x7f\x9b2J", r"\x1b[31mred\x07\x7f\x9b2J"),
        ("\u202eright to left\u200b\u2066\ufeff", r"\u202eright to left\u200b\u2066\ufeff"),
        ("no-break\xa0space\u3164\u115f\ufe0f", r"no-break\xa0space\u3164\u115f\ufe0f"),
        ("\udcff\U000e0041\ue000", r"\udcff\U000e0041\ue000"),
        ("Größe 日本 🎈 e\u0301", "Größe 日本 🎈 e\u0301"),
        (r"C:\new\x1b", r"C:\new\x1b"),
    ],
)
def test_what_does_not_print_is_escaped_as_in_repr(text, shown):
    assert printable(text) == shown


@given(st.characters())
def test_any_character_is_shown_as_repr_shows_it_or_by_its_escape(character):
    shown = printable(character)
    assert shown in (repr(f"{character}'\"")[1:-4], character, ascii(character)[1:-1])
    assert shown == character or not character.isprintable() or unicodedata.category(character) in "LoMnSo"


@given(texts(), st.one_of(st.just(NAME), st.just(MESSAGE), st.integers(30, 500)))
def test_any_text_is_one_visible_line_of_bounded_width_and_stays_the_same(text, most):
    shown = printable(text, most)
    assert shown.isprintable()
    assert cell_len(shown) <= columns(shown) <= most
    assert printable(shown, most) == shown
    assert printable(printable(text, None), None) == printable(text, None)


def test_the_middle_of_a_long_text_is_left_out_and_its_length_said():
    assert printable("a" * 500 + "b" * 500, 60) == "a" * 18 + "...[1,000 characters]..." + "b" * 18
    assert printable("x" * MESSAGE) == "x" * MESSAGE
    assert printable("x" * 10**7).count("10,000,000 characters") == 1
    assert len(printable("\x00" * 1000, 100)) <= 100
    assert printable("日" * 100, 60).startswith("日" * 9 + "...[100 characters]...")
