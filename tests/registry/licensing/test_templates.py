# SPDX-License-Identifier: Apache-2.0
"""Templates: each is a licence once its blanks are filled, and none before."""

import pytest

from registry.licensing.drafting import BLANKS, filled, kinds, refused, template
from registry.licensing.report import check

KINDS = (
    "academic",
    "edge-fleet",
    "evaluation",
    "hospital",
    "instance-limit",
    "metered-reseller",
    "sale",
    "time-limit",
)


def examples(kind: str) -> dict[str, str]:
    return {blank.name: blank.example for blank in template(kind).blanks}


def test_there_is_a_template_for_each_usual_kind() -> None:
    assert kinds() == KINDS
    with pytest.raises(KeyError):
        template("../sale")


@pytest.mark.parametrize("kind", KINDS)
def test_every_template_is_a_proved_licence_once_filled_in(kind: str) -> None:
    report = check(filled(template(kind), examples(kind)))
    assert (report.errors, report.ok) == ((), True)
    assert len(report.properties) == 12
    assert all(report.properties.values())


@pytest.mark.parametrize("kind", KINDS)
def test_every_template_says_what_it_is_for_in_its_first_line(kind: str) -> None:
    ready = template(kind)
    assert ready.text.startswith(f"# {kind.replace('-', ' ').capitalize()}: {ready.purpose}\n")
    assert ready.purpose.endswith(".")


@pytest.mark.parametrize("kind", KINDS)
def test_a_blank_left_empty_is_named_at_its_place(kind: str) -> None:
    ready = template(kind)
    for blank in ready.blanks:
        rest = {name: example for name, example in examples(kind).items() if name != blank.name}
        report = check(filled(ready, rest))
        told = [problem for problem in report.errors if f"“{blank.name}”" in problem.message]
        assert told
        assert not report.ok
        for problem in told:
            marked = problem.source[problem.column - 1 : problem.column - 1 + problem.length]
            assert marked == "{{" + blank.name + "}}"


def test_every_blank_is_asked_for_by_some_template() -> None:
    assert {blank.name for kind in KINDS for blank in template(kind).blanks} == set(BLANKS)


@pytest.mark.parametrize(
    ("name", "answer", "code"),
    [
        ("price", "1.000 EUR", "E104"),
        ("price", "cheap", "E101"),
        ("price", "0 EUR", "E205"),
        ("start date", "01/02/2027", "E103"),
        ("start date", "30 February 2027", "E206"),
        ("length", "twenty months", "E101"),
        ("nodes", "0", "E205"),
        ("law", "Grmany", "E210"),
        ("licensor address", "0x12", "E209"),
        ("model id", "0x12", "E209"),
        ("licensee name", "", "E105"),
        ("licensee name", "a\nb", "E105"),
        ("licensee name", "x" * 600, "E105"),
        ("licensee name", "{{price}}", "E105"),
        ("nodes", "2 nodes. The licensee may use the model on at most 3", "E202"),
        ("law", "Germany. The licensee may offer the model to its customers", "E101"),
    ],
)
def test_a_wrong_answer_is_refused_at_once(name: str, answer: str, code: str) -> None:
    problem = refused(template("sale"), BLANKS[name], answer, {})
    assert problem is not None
    assert problem.code == code


def test_an_answer_is_held_against_those_before_it() -> None:
    given = {"licensor address": "0x" + "ab" * 20}
    problem = refused(template("sale"), BLANKS["licensee address"], "0x" + "AB" * 20, given)
    assert problem is not None
    assert problem.code == "E208"


@pytest.mark.parametrize("kind", KINDS)
def test_every_example_is_an_answer(kind: str) -> None:
    ready = template(kind)
    assert [refused(ready, blank, blank.example, {}) for blank in ready.blanks] == [None] * len(ready.blanks)


def test_a_name_may_be_typed_with_its_quotes() -> None:
    bare, quoted = ({"licensee name": answer} for answer in ("Nordwerk AG", '"Nordwerk AG"'))
    assert filled(template("sale"), bare) == filled(template("sale"), quoted)
