# SPDX-License-Identifier: Apache-2.0
"""What an author is told about a text: the line, the word, what to write instead; and all of it in one pass."""

import random
import time

import pytest

from registry.licensing.model import Licence
from registry.licensing.problems import Problem
from registry.licensing.reading import ClauseClass, read
from tests.fakes.licences import SAMPLES

PUMP = SAMPLES["pump"]
TITLE = 'Licence "a" version 1.\n'
OWNER, USER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8", "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"


def good(text: str) -> Licence:
    reading = read(text)
    assert reading.licence is not None, [one.told() for one in reading.problems]
    return reading.licence


def wrong(old: str, new: str, text: str = PUMP) -> list[Problem]:
    assert old in text
    reading = read(text.replace(old, new))
    assert reading.licence is None
    assert all(one.fatal for one in reading.problems)
    return list(reading.problems)


def only(old: str, new: str, text: str = PUMP) -> Problem:
    (problem,) = wrong(old, new, text)
    return problem


def marked(problem: Problem) -> str:
    """The words above the caret."""
    return problem.source[problem.column - 1 : problem.column - 1 + problem.length]


@pytest.mark.parametrize("name", SAMPLES)
def test_case_01_a_sample_says_a_whole_licence(name: str) -> None:
    reading = read(SAMPLES[name])
    assert reading.licence is not None
    assert not any(one.fatal for one in reading.problems)
    assert len(reading.clauses) == len(SAMPLES[name].strip().splitlines()) - 1


@pytest.mark.parametrize("name", SAMPLES)
def test_case_02_spelling_blanks_comments_and_line_ends_change_nothing(name: str) -> None:
    text, licence = SAMPLES[name], good(SAMPLES[name])
    american = text.replace("licence", "license").replace("Licence", "License")
    assert good(american) == licence
    lines = [f"  {line}\t# a remark" for line in text.splitlines()]
    assert good("# on top\n\n" + "\r\n".join(lines) + "\r\n") == licence
    assert (
        good(text.replace("The licensee may use the model on", "the licensee may\n  use the model on"))
        == licence
    )


def test_case_02_one_of_something_may_be_said_so() -> None:
    assert good(PUMP.replace("2 nodes", "1 node")) == good(PUMP.replace("2 nodes", "1 nodes"))
    assert good(PUMP.replace("24 months", "1 month")) == good(PUMP.replace("24 months", "1 months"))
    assert good(PUMP.replace("2 nodes.", "2 nodes, or so.").replace(", or so", "")) == good(PUMP)


def test_a_model_may_begin_at_a_later_version() -> None:
    digest = "708192."
    assert good(PUMP.replace(digest, "708192 from version 3.")).model.lowest_version == 3
    assert good(PUMP).model.lowest_version == 1


def test_money_is_exact_to_the_last_of_its_digits() -> None:
    price = good(PUMP.replace("2.5 ETH", "999,999,999,999.123456789012345678 ETH")).fee.price  # type: ignore[union-attr]
    assert price.wei == 999_999_999_999_123456789012345678
    assert good(PUMP.replace("2.5 ETH", "2.500000000000000000000000 ETH")) == good(PUMP)


def test_clauses_say_who_holds_them() -> None:
    kinds = {clause.form: clause.kind for clause in read(PUMP).clauses}
    assert {form for form, kind in kinds.items() if kind is ClauseClass.RECORD} == {
        "fields",
        "forbid",
        "audit",
        "law",
    }
    assert {form for form, kind in kinds.items() if kind is ClauseClass.CLAIM} == {"territory", "attest"}
    without = PUMP.replace(' on "Intel TDX" or "TPM 2.0"', "")
    assert {one.form: one.kind for one in read(without).clauses}["attest"] is ClauseClass.CHAIN
    recorded = [one for one in read(PUMP).problems if one.code == "W601"]
    assert [one.line for one in recorded] == [6, 13, 14, 16]


def test_case_10_the_parties_are_two() -> None:
    for same in (OWNER, OWNER.lower()):
        problem = only(USER, same)
        assert (problem.code, problem.line) == ("E208", 4)
    assert only(USER, "0x" + "0" * 40).code == "E208"


def test_case_11_a_fact_is_said_once_and_both_lines_are_named() -> None:
    problem = only(
        "on at most 2 nodes.", "on at most 2 nodes.\nThe licensee may use the model on at most 3 nodes."
    )
    assert (problem.code, problem.line) == ("E202", 9)
    assert "line 8" in problem.message
    assert only("in Germany, Austria", "in Germany, Germany").code == "E202"


@pytest.mark.parametrize(
    ("old", "new", "code", "at"),
    [
        ("2.5 ETH", "1.000 EUR", "E104", "1.000"), ("2.5 ETH", "1.000.000 ETH", "E104", "1.000.000"),
        ("1 January 2027", "01/02/2027", "E103", "01/02/2027"), ("1 January 2027", "01.02.2027", "E103", "01.02.2027"),
        ("24 months", "twenty months", "E101", "twenty"), ("24 hours", "1 month", "E207", "month"),
        ("2 nodes", "0 nodes", "E205", "0"), ("2 nodes", "1" + "0" * 30 + " nodes", "E205", "1" + "0" * 30),
        ("2 nodes", "9" * 200 + " nodes", "E205", None), ("2.5 ETH", "0 EUR", "E205", "0"),
        ("2.5 ETH", "2.1234567890123456789 ETH", "E205", "2.1234567890123456789"), ("2.5 ETH", "2.505 EUR", "E104", "2.505"),
        ("2.5 ETH", "2.5055 EUR", "E205", "2.5055"), ("version 1.", "version 0.", "E205", "0"),
        ("packs of 1,000", "packs of 0", "E205", "0"), ("24 hours", "7 weeks", "E205", "7"),
        ("24 months", "101 years", "E205", "101"), ("1 January 2027", "30 February 2027", "E206", "30"),
        ("2027", "1999", "E206", "1999"), (OWNER, OWNER[:-2], "E209", OWNER[:-2]), ("708192.", "7081.", "E209", None),
        (OWNER, OWNER.replace("C", "c", 1), "E209", None), (OWNER, OWNER[:-1] + "g", "E209", None),
        ("Austria", "Austia", "E210", "Austia"), ("Intel TDX", "Intel TDC", "E210", '"Intel TDC"'),
        ("predictive maintenance", "predictive maintenence", "E210", '"predictive maintenence"'),
    ],
)  # fmt: skip
def test_cases_14_15_17_a_value_that_cannot_be_is_marked(
    old: str, new: str, code: str, at: str | None
) -> None:
    problem = only(old, new)
    assert problem.code == code, problem.told()
    assert at is None or marked(problem) == at
    assert problem.help


def test_case_14_expected_words_are_named_in_human_terms() -> None:
    assert only("24 months", "twenty months").help == "expected a number such as 12"
    assert only("Austria", "Austia").help == "did you mean “Austria”?"
    assert only("Austria", "Turkey").help == "did you mean “Türkiye”?"
    assert only("Intel TDX", "SEV-SNP").help == "did you mean “AMD SEV-SNP”?"
    assert only("use the model in", "use the modle in").help == "did you mean “model”?"


@pytest.mark.parametrize(
    "name",
    [
        '""',
        '"  "',
        '"' + "x" * 81 + '"',
        '"Nord\u202ewerk"',
        '"Nord\x00werk"',
        '"\ue000"',
        '"e\u0301"',
        '"Nordwerk',
        "“Nordwerk”",
    ],
)
def test_case_16_a_name_that_deceives_is_refused(name: str) -> None:
    problem = only('"Nordwerk AG"', name)
    assert (problem.code, problem.line) == ("E105", 4)


def test_case_16_a_hostile_name_is_a_name() -> None:
    assert good(PUMP.replace("Nordwerk AG", "*/ } selfdestruct")).licensee.name == "*/ } selfdestruct"


@pytest.mark.parametrize(
    ("sentence", "asked"),
    [
        ("The licensor may revoke the licence at any time.", "how the licensor may revoke it"),
        ("The licensee must pay 2.5 ETH before activation.", "what it costs"),
        ("The licensee may use the model on at most 2 nodes.", "on how many nodes"),
        ("The licence starts on 1 January 2027 and lasts 24 months.", "how long it lasts"),
    ],
)
def test_case_18_what_is_missing_is_asked_for_with_a_sentence(sentence: str, asked: str) -> None:
    problem = only(sentence + "\n", "")
    assert problem.code == "E201"
    assert asked in problem.message
    example = problem.help.partition(": ")[2]
    assert good(PUMP.replace(sentence, example))


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ("The licensor may audit", "The licensor should audit", "should"),
        ("may use the model for", "may make reasonable use of the model for", "reasonable"),
        ("must pay 2.5", "must promptly pay 2.5", "promptly"),
        ("must not extract", "must use best efforts not to extract", "best"),
    ],
)
def test_case_19_vague_words_are_not_understood(old: str, new: str, word: str) -> None:
    problem = only(old, new)
    assert (problem.code, marked(problem)) == ("E101", word)


def test_case_20_a_sentence_that_ends_too_soon_says_what_is_expected() -> None:
    problem = only("suspended until it passes attestation again.", "suspended.")
    assert (problem.code, marked(problem), problem.help) == ("E101", ".", "expected “until”")


def test_case_21_surprises_are_said_before_anyone_signs() -> None:
    said = {one.code for one in read(PUMP).problems}
    assert "W602" in said
    assert "W602" not in {
        one.code for one in read(PUMP.replace("at any time", "with 30 days notice")).problems
    }
    yearly = PUMP.replace("before activation", "every 200 weeks in advance")
    assert "W603" in {one.code for one in read(yearly).problems}


def test_every_sentence_is_read_whatever_was_wrong_before_it() -> None:
    text = PUMP.replace("may use the model in", "may use the modle in").replace("24 months", "0 months")
    text = text.replace("2.5 ETH", "1.000 ETH").replace("Nordwerk AG", "").replace("26 weeks", "26 moons")
    assert [(one.code, one.line) for one in read(text).problems] == [
        ("E105", 4),
        ("E101", 7),
        ("E104", 11),
        ("E101", 14),
    ]
    assert "0 months" in text  # values are judged once all sentences are understood


def test_a_forgotten_full_stop_costs_no_sentence() -> None:
    problem = only("before activation.\n", "before activation\n")
    assert (problem.code, problem.line, marked(problem)) == ("E101", 11, "activation")
    assert only("law of Germany.", "law of Germany").code == "E101"


def test_after_a_forgotten_full_stop_lines_and_words_are_those_of_each_sentence() -> None:
    text = PUMP.replace("charge.", "charge").replace("before activation.\n", "before activation # soon\n")
    told = {clause.form: (clause.line, clause.text) for clause in read(text).clauses}
    assert told["fee_once"] == (11, "The licensee must pay 2.5 ETH before activation")
    assert told["packs"] == (12, "The licensee buys inferences in packs of 1,000 for 0.1 ETH.")


def test_a_surprise_stands_at_its_sentence() -> None:
    remarks = {one.code: one.line for one in read(SAMPLES["reseller"]).problems}
    assert "removed" in SAMPLES["reseller"].splitlines()[remarks["W605"] - 1]


def test_problems_are_told_without_a_word_of_grammar() -> None:
    told = only("24 months", "twenty months").told()
    assert told.splitlines()[1:3] == [
        "    The licence starts on 1 January 2027 and lasts twenty months.",
        "    " + " " * 47 + "^^^^^^",
    ]
    for problem in (
        only("2 nodes", "two nodes"),
        only("2.5 ETH", "2.5 gold"),
        only("in Germany", "in germany"),
    ):
        assert not any(symbol in problem.told() for symbol in ("STRING", "INT", "PLACE", "_", "$"))


@pytest.mark.parametrize(
    "text",
    [
        PUMP * 2000,
        "The licensee must pay. " * 10_000,
        '"' * 10_000,
        "a" * 1_000_000,
        "The licensee pays. " * 3_400,
        "1," * 30_000,
        "1.1." * 16_000,
        "The licence is free of charge\n" * 2_100,
        TITLE + "Personal data must stay in Germny.\n" * 1_800,
        TITLE + 'The licensee may use the model for "x"' + "".join(f', "x{n}y"' for n in range(6_000)) + ".",
    ],
    ids=[
        *("a megabyte", "sentences", "quotes", "a word", "just short enough", "numbers", "points"),
        *("no full stops", "unknown places", "unknown fields"),
    ],
)
def test_case_26_a_flood_is_refused_soon(text: str) -> None:
    began = time.monotonic()
    reading = read(text)
    assert reading.licence is None
    assert 1 <= len(reading.problems) <= 21
    assert time.monotonic() - began < 30  # two seconds on a quiet machine
    assert all(len(one.source) < 200 for one in reading.problems)


def test_case_26_a_licence_is_no_longer_than_it_may_be() -> None:
    (problem,) = wrong(PUMP, PUMP + "#" + "x" * 65_536)
    assert "at most 65,536" in problem.message


def test_s8_whatever_is_changed_in_a_text_it_ends_in_problems_or_a_licence() -> None:
    drawn = random.Random(5)
    alphabet = [
        *'abc .,"#019\n\t\r“”é中\u202e\u0301/-x(){}',
        "The",
        "licence",
        "0x",
        "Germany",
        "May",
        "\ud800",
    ]
    for _ in range(400):
        text = list(SAMPLES[drawn.choice(list(SAMPLES))])
        for _ in range(drawn.randrange(1, 6)):
            at = drawn.randrange(len(text))
            text[at : at + drawn.randrange(4)] = drawn.choice(alphabet)
        reading = read("".join(text))
        assert (reading.licence is None) == any(one.fatal for one in reading.problems)
