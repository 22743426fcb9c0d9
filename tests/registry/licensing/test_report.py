# SPDX-License-Identifier: Apache-2.0
"""The report on a text: its form for programs, and every problem at the sentence and the word it is about."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.licensing.explaining import KEPT, MOVES, explained
from registry.licensing.problems import LicenceRefused
from registry.licensing.reading import ClauseClass
from registry.licensing.report import check, require
from tests.conftest import ROOT

SAMPLES = sorted((ROOT / "tests" / "vectors" / "licences").glob("*.txt"), key=Path.as_posix)
_PIECES = st.tuples(
    st.sampled_from([0, 1, 5, 40]),
    st.sampled_from(
        [
            "",
            " ",
            "\n",
            "\t",
            ".",
            '"',
            "the",
            "0",
            "9" * 70,
            "{{price}}",
            "# ",
            "and",
            "\u202e",
            "Ä",
            "1.000",
        ]
    )
    | st.text(max_size=3),
)
PUMP = (ROOT / "tests" / "vectors" / "licences" / "pump.txt").read_text("utf-8")


def test_the_report_of_a_sample_is_all_that_was_asked_for() -> None:
    row = check(PUMP).row()
    assert list(row) == ["ok", "errors", "warnings", "clauses", "moves", "states", "properties"]
    assert (row["ok"], row["errors"]) == (True, [])
    assert row["properties"] == {f"P{number}": True for number in range(1, 13)}
    clauses = row["clauses"]
    assert isinstance(clauses, list)
    assert [list(clause) for clause in clauses] == [["line", "text", "class"]] * 15
    assert [clause["line"] for clause in clauses] == list(range(2, 17))
    assert {clause["class"] for clause in clauses} == set(ClauseClass)


def test_errors_come_by_line_and_nothing_is_proved() -> None:
    wrong = PUMP.replace("2.5 ETH", "1.000 ETH").replace("model in", "modle in")
    row = check(wrong.replace("The licensor may revoke the licence at any time.\n", "")).row()
    errors = row["errors"]
    assert isinstance(errors, list)
    assert [list(error) for error in errors] == [["code", "line", "column", "message", "help"]] * 3
    assert [(error["code"], error["line"]) for error in errors] == [("E201", 0), ("E101", 7), ("E104", 11)]
    assert (row["ok"], row["moves"], row["states"], row["properties"]) == (False, 0, 0, {})


@pytest.mark.parametrize(
    ("old", "new", "code", "marked"),
    [
        (
            "at any time.",
            "at any time.\nPersonal data must stay in the European Union.",
            "E204",
            "Switzerland",
        ),
        ("Austria and Switzerland", "Austria and\n  Switzerland", "W604", "Germany"),
        ("predictive maintenance", "diagnostic imaging", "W611", '"diagnostic imaging"'),
    ],
)
def test_what_a_licence_means_is_told_at_its_word(old: str, new: str, code: str, marked: str) -> None:
    found = [problem for problem in check(PUMP.replace(old, new)).problems if problem.code == code]
    problem = found[0]
    assert problem.source[problem.column - 1 :][: problem.length] == marked
    assert PUMP.replace(old, new).splitlines()[problem.line - 1] == problem.source


def test_a_word_on_a_later_line_of_its_sentence_is_found_there() -> None:
    split = PUMP.replace("Austria and Switzerland", "Austria and\n  Switzerland")
    (problem,) = check(split + "Personal data must stay in the European Union.\n").errors
    assert (problem.code, problem.line, problem.column) == ("E204", 8, 3)


def test_a_name_that_looks_like_a_blank_is_a_name() -> None:
    odd = PUMP.replace('"Nordwerk AG"', '"{{ 7*7 }}"').replace("at any time.", "at any time. # {{price}}")
    assert check(odd).ok
    (problem,) = check(PUMP.replace("2.5 ETH", "{{price}}")).errors
    assert (problem.line, problem.column, problem.length) == (11, 23, len("{{price}}"))


def test_no_licence_is_had_from_a_text_with_errors() -> None:
    with pytest.raises(LicenceRefused) as refusal:
        require(PUMP.replace("2 nodes", "0 nodes"), where="pump.txt")
    assert (refusal.value.reasons, refusal.value.where) == (("E205",), "pump.txt")
    assert require(PUMP)[0].seats == 2


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(SAMPLES), st.lists(st.tuples(st.integers(0, 1_500), _PIECES), min_size=1, max_size=4))
def test_whatever_is_done_to_a_text_its_report_points_into_it(
    sample: Path, changes: list[tuple[int, tuple[int, str]]]
) -> None:
    text = sample.read_text("utf-8")
    for at, (removed, put) in changes:
        text = text[:at] + put + text[at + removed :]
    report = check(text)
    assert (
        report.ok == (not report.errors) == (report.licence is not None and all(report.properties.values()))
    )
    lines = text.split("\n")
    for problem in report.problems:
        assert problem.told().startswith(problem.code)
        assert (problem.line == 0) == (problem.column == 0)
        if problem.line:
            line = lines[problem.line - 1].rstrip("\r").replace("\t", " ")
            assert line.startswith(problem.source.replace("\t", " "))
            assert 1 <= problem.column <= problem.column + problem.length - 1 <= max(1, len(line)) + 1


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_every_move_is_there_because_of_a_clause(sample: Path) -> None:
    report = check(sample.read_text("utf-8"))
    assert report.net is not None
    said = {name for clause in report.clauses for name in MOVES.get(clause.form, ())}
    moves = {move.name for move in report.net.moves}
    assert moves <= said
    assert {clause.kept for clause in explained(report)} == set(KEPT.values())


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_no_clause_that_is_only_recorded_makes_a_move(sample: Path) -> None:
    clauses = explained(check(sample.read_text("utf-8")))
    assert not [clause for clause in clauses if clause.kind == "record" and clause.moves]
    assert all("node 1" not in move for clause in clauses for move in clause.moves)
