"""Text that means something to a terminal, to rich, Markdown, C, matplotlib, JSON, Hydra or a shell."""

from hypothesis import strategies as st

FRAGMENTS = (
    "[/red]", "[bold]", "[link=file:///]", "[/]", "\\[", ":smile:", "\x1b[31m", "\x1b]0;title\x07", "\x9b2J",
    "\r", "\n", "\r\n", "\t", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029", "\x08", "\x00", "\x7f",
    "\u202e", "\u2066", "\u200b", "\u200d", "\ufeff", "\u00ad", "\u3164", "\ufe0f", "\U000e0041", "\ue000",
    "|", "||", "`", "``", "<script>", "&lt;", "*a*", "_a_", "~~a~~", "[a](b)", "# a", "---", "\\", "\\|",
    "$", "$\\frac{1}", "$x$", "${x}", "*/", "/*", "??/", "//", "%s", "%(a)s", "{}", "{0.__class__}", "@SUM@",
    "'", '"', "''", ",", ";", "=", " ", "$(id)", "日本", "Größe", "🎈", "e\u0301\u0301\u0301", "mlrq_sum",
    "_", "x" * 500, "語" * 200, "null", "true", "1e5", "nan", "../..", "-v", "--help",
)  # fmt: skip


def texts(without: str = "") -> st.SearchStrategy[str]:
    """Any text, and more often a hostile one, that has none of the characters `without`."""
    pieces = st.one_of(st.sampled_from(FRAGMENTS), st.text(max_size=5), st.sampled_from("abc"))
    return st.lists(pieces, max_size=8).map("".join).filter(lambda text: not set(text) & set(without))
