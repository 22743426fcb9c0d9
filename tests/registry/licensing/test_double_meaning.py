# SPDX-License-Identifier: Apache-2.0
"""A text that people could read in another way than the compiler is refused."""

import pytest

from registry.licensing.reading import read
from tests.fakes.licences import SAMPLES

_PUMP = SAMPLES["pump"]
_REVOKES = "The licensor may revoke the licence at any time."


@pytest.mark.parametrize(
    "digits", ["٠١٢٣٤٥٦٧٨٩", "０１２３４５６７８９", "०१२३४५६७८९"], ids=["arabic", "wide", "devanagari"]
)
@pytest.mark.parametrize("written", ["1 January", "2027", "24 months", "2 nodes", "2.5 ETH", "1,000 for"])
def test_a_number_in_digits_of_another_script_is_refused(digits: str, written: str) -> None:
    other = written.translate(str.maketrans("0123456789", digits))
    reading = read(_PUMP.replace(written, other, 1))
    assert reading.licence is None
    assert reading.problems


@pytest.mark.parametrize("amount", ["0,500", "0,001", "01,000", "0,500.5"])
def test_a_comma_after_a_leading_zero_groups_no_thousands(amount: str) -> None:
    assert read(_PUMP.replace("2.5 ETH", f"{amount} ETH", 1)).licence is None


@pytest.mark.parametrize("end", list("\r\v\f\x85\u2028\u2029"), ids=ascii)
def test_a_remark_swallows_no_sentence_that_is_shown_on_a_line_of_its_own(end: str) -> None:
    hidden = _PUMP.replace(_REVOKES, f"# Notice:{end}The licensor must wait for ever.\n{_REVOKES}")
    assert hidden != _PUMP
    assert read(hidden).licence is None


@pytest.mark.parametrize("sign", list("\x1b\x08\u202e\u2066\u200b"), ids=ascii)
def test_a_remark_holds_nothing_that_turns_or_hides_what_is_shown(sign: str) -> None:
    assert read(_PUMP.replace(_REVOKES, f"# {sign}\n{_REVOKES}")).licence is None


def test_an_ordinary_remark_may_be_in_any_script() -> None:
    remark = "# Größe, 大きさ, ٣, \u00a0 and a tab\tare nobody's clause.\r\n"
    reading, plain = read(_PUMP.replace(_REVOKES, remark + _REVOKES)), read(_PUMP)
    assert reading.licence == plain.licence is not None
