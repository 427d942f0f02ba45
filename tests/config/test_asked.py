"""What an override asks for, with Hydra's parser as the oracle of what is told without it."""

from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st

from mlrq.config.composition import PLAIN, asked


@given(st.from_regex(PLAIN, fullmatch=True))
def test_a_plain_override_is_what_hydra_reads_and_no_sweep(text):
    read = OverridesParser.create().parse_override(text)
    assert not read.is_sweep_override()
    told = asked(text)
    assert (told.key, told.values, told.swept) == (read.get_key_element(), [text], False)
