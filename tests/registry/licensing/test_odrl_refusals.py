# SPDX-License-Identifier: Apache-2.0
"""ODRL that this language cannot say, or that nobody should believe, is refused by name."""

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.licensing.odrl import from_odrl, to_odrl
from registry.licensing.problems import LicenceRefused
from registry.licensing.profile import AML
from registry.licensing.reading import read
from registry.licensing.saying import checksummed
from tests.fakes.licences import SAMPLES

Json = dict[str, Any]
RESELLER = read(SAMPLES["reseller"]).licence
assert RESELLER is not None
GOOD = to_odrl(RESELLER)


def _refused(document: Json | str) -> LicenceRefused:
    with pytest.raises(LicenceRefused) as refused:
        from_odrl(document)
    for problem in refused.value.problems:
        assert problem.fatal
        assert len(problem.message) < 400
        assert "Traceback" not in problem.told()
        assert "rdflib" not in problem.told()
    return refused.value


def _broken(breaking: Callable[[Json], object]) -> LicenceRefused:
    document: Json = copy.deepcopy(GOOD)
    breaking(document)
    assert document != GOOD
    return _refused(document)


def _limit(document: Json, left: str) -> Json:
    return next(one for one in document["permission"][0]["constraint"] if one["leftOperand"] == left)


def _told(refused: LicenceRefused) -> str:
    return "\n".join(problem.told() for problem in refused.problems)


def _prohibit(document: Json, action: str) -> None:
    document["prohibition"].append(document["prohibition"][0] | {"action": action, "aml:position": 9})


@pytest.mark.parametrize("action", ["aml:serveCustomers", "aml:infer", "use"])
def test_case_12_what_is_permitted_and_prohibited_is_refused(action: str) -> None:
    refused = _broken(lambda document: _prohibit(document, action))
    assert refused.reasons == ("E203",)
    assert action in _told(refused)


def test_case_12_what_is_only_prohibited_is_no_clash() -> None:
    document: Json = to_odrl(replace(RESELLER, resale=False))
    _prohibit(document, "aml:serveCustomers")
    refused = _refused(document)
    assert refused.reasons == ("E302",)
    assert "cannot prohibit the action “aml:serveCustomers”" in _told(refused)


@pytest.mark.parametrize(
    ("operand", "name"),
    [("odrl:language", "odrl:language"), ("urn:example:mood", "urn:example:mood"), ("weather", "weather")],
)
def test_case_22_an_unknown_left_operand_is_named(operand: str, name: str) -> None:
    def add(document: Json) -> None:
        limit = {"leftOperand": operand, "operator": "eq", "rightOperand": "x"}
        document["permission"][0]["constraint"].append(limit)

    refused = _broken(add)
    assert refused.reasons == ("E302",)
    assert f"the left operand “{name}”" in _told(refused)


@pytest.mark.parametrize("part", ["permission", "prohibition"])
def test_case_22_two_actions_in_one_rule_are_refused(part: str) -> None:
    def add(document: Json) -> None:
        document[part][0]["action"] = [document[part][0]["action"], "odrl:print"]

    refused = _broken(add)
    assert refused.reasons == ("E301",)
    assert "a rule needs one odrl:action" in _told(refused)


@pytest.mark.parametrize(
    ("breaking", "code", "told"),
    [
        (lambda d: d.pop("type"), "E301", "0 agreements"),
        (lambda d: d.pop("profile"), "E301", "odrl:profile"),
        (lambda d: d.update(profile="urn:example:other"), "E301", "odrl:profile"),
        (lambda d: d.update(conflict="perm"), "E301", "odrl:conflict"),
        (lambda d: d.pop("aml:title"), "E301", "aml:title"),
        (lambda d: d.update({"aml:title": ["a", "b"]}), "E301", "aml:title"),
        (lambda d: d.update({"aml:title": {"@value": "a", "@language": "en"}}), "E301", "aml:title"),
        (lambda d: d.update({"aml:version": "1"}), "E301", "aml:version"),
        (lambda d: d.update({"aml:version": 1.5}), "E301", "aml:version"),
        (lambda d: d.pop("aml:revocationNotice"), "E301", "aml:revocationNotice"),
        (lambda d: d.update({"aml:revocationNotice": "soon"}), "E302", "soon"),
        (lambda d: d.update({"aml:auditInterval": "P1DT2H"}), "E302", "P1DT2H"),
        (lambda d: d.update({"aml:governingLaw": {"@id": "urn:exequatur:place:999"}}), "E210", "place:999"),
        (lambda d: d.pop("permission"), "E301", "odrl:permission"),
        (lambda d: d["permission"].pop(0), "E301", "aml:onAttestationFailure"),
        (lambda d: d["permission"][0].pop("aml:onAttestationFailure"), "E301", "aml:onAttestationFailure"),
        (
            lambda d: d["permission"][0].update({"aml:onAttestationFailure": {"@id": "aml:ignore"}}),
            "E302",
            "aml:ignore",
        ),
        (lambda d: d["permission"][0].update(action="odrl:print"), "E302", "odrl:print"),
        (lambda d: d["permission"][0].pop("assigner"), "E301", "odrl:assigner"),
        (
            lambda d: d["permission"][1].update(target={"uid": "urn:x:y", "aml:modelName": "m"}),
            "E302",
            "one model",
        ),
        (lambda d: _limit(d, "count").update(operator="gteq"), "E302", "odrl:gteq"),
        (lambda d: _limit(d, "count").update(operator="about"), "E301", "odrl:operator"),
        (lambda d: _limit(d, "count").pop("unit"), "E302", "nodes"),
        (lambda d: _limit(d, "count").update(unit="aml:rack"), "E302", "nodes"),
        (lambda d: _limit(d, "count").update(rightOperand="many"), "E301", "many"),
        (lambda d: _limit(d, "count").update(rightOperand=[2, 3]), "E301", "odrl:count needs one"),
        (lambda d: _limit(d, "count").pop("rightOperand"), "E301", "odrl:rightOperand"),
        (lambda d: _limit(d, "purpose").update(unit="aml:node"), "E302", "odrl:unit"),
        (lambda d: _limit(d, "purpose").update(rightOperand="customer support"), "E210", "customer support"),
        (lambda d: _limit(d, "spatial").update(rightOperand={"@list": []}), "E301", "empty"),
        (lambda d: _limit(d, "spatial").update(operator="isNoneOf"), "E302", "odrl:isNoneOf"),
        (lambda d: _limit(d, "aml:term").update(rightOperand="P1Y6M"), "E302", "P1Y6M"),
        (lambda d: d["permission"][0]["constraint"].remove(_limit(d, "count")), "E201", "how many nodes"),
        (lambda d: d["permission"][0]["constraint"].remove(_limit(d, "aml:term")), "E201", "how long"),
        (
            lambda d: d["permission"][0]["constraint"].append(_limit(d, "count") | {"rightOperand": 99}),
            "E202",
            "odrl:count twice",
        ),
        (
            lambda d: d["permission"][0]["constraint"].append(
                {"leftOperand": "dateTime", "operator": "gteq", "rightOperand": "2027-02-30"}
            ),
            "E206",
            "2027-02-30",
        ),
        (lambda d: d["permission"][0].update(duty={"action": "compensate"}), "E301", "two constraints"),
        (lambda d: d["permission"][0]["duty"][0].update(action="odrl:inform"), "E302", "odrl:inform"),
        (
            lambda d: d["permission"][0]["duty"].append(d["permission"][0]["duty"][0] | {"type": "Duty"}),
            "E202",
            "packs",
        ),
        (
            lambda d: d["permission"][0]["duty"][0]["constraint"][0].update(rightOperand=0.1),
            "E301",
            "not an amount",
        ),
        (lambda d: d["permission"][0]["duty"][0]["constraint"][0].update(unit="aml:XAU"), "E302", "XAU"),
        (
            lambda d: d["permission"][0]["duty"][0]["constraint"][1].update(rightOperand="often"),
            "E302",
            "often",
        ),
        (lambda d: d["prohibition"].append(d["prohibition"][0] | {"aml:position": 7}), "E202", "twice"),
        (lambda d: d["prohibition"][0].update({"aml:position": "first"}), "E301", "first"),
        (
            lambda d: d.update(obligation=d["prohibition"][0] | {"action": "odrl:attribute"}),
            "E302",
            "odrl:attribute",
        ),
        (
            lambda d: d.update(obligation=d["permission"][1] | {"action": "aml:keepPersonalData"}),
            "E201",
            "personal data",
        ),
    ],
)
def test_each_flaw_alone_is_refused(breaking: Callable[[Json], object], code: str, told: str) -> None:
    refused = _broken(breaking)
    assert code in refused.reasons
    assert told in _told(refused)


def _everywhere(document: Json, name: str, change: Callable[[Json], object]) -> None:
    for rule in (*document["permission"], *document["prohibition"]):
        change(rule[name])


@pytest.mark.parametrize(
    "uid", ["ethereum:0x12", "eip155:1:0x" + "11" * 20, "urn:x:y", "ethereum:0x" + "g" * 40]
)
def test_a_party_that_is_no_account_is_refused(uid: str) -> None:
    refused = _broken(lambda document: _everywhere(document, "assignee", lambda party: party.update(uid=uid)))
    assert refused.reasons == ("E209",)


def test_an_account_with_the_right_capitals_is_taken_and_with_wrong_ones_refused() -> None:
    lower = f"ethereum:{RESELLER.licensee.address}"
    right = f"ethereum:{checksummed(RESELLER.licensee.address)}"
    assert right != lower
    text = json.dumps(GOOD)
    assert from_odrl(text.replace(lower, right)) == RESELLER
    wrong = right[:-1] + right[-1].swapcase()
    assert wrong != right
    assert _refused(text.replace(lower, wrong)).reasons == ("E209",)


def test_a_target_that_is_no_model_is_refused() -> None:
    refused = _broken(lambda document: _everywhere(document, "target", lambda it: it.update(uid="urn:x:y")))
    assert refused.reasons == ("E209",)


def test_two_models_in_one_rule_are_refused() -> None:
    def double(document: Json) -> None:
        document["permission"][0]["target"] = [document["permission"][0]["target"], {"uid": "urn:x:y"}]

    assert "E301" in _broken(double).reasons


@pytest.mark.parametrize(
    ("key", "value", "name"),
    [
        ("fee", "none", "fee"),
        ("aml:colour", "blue", "aml:colour"),
        ("odrl:inheritFrom", {"@id": "urn:example:more"}, "odrl:inheritFrom"),
        ("https://example.org/x", 1, "https://example.org/x"),
        ("constraint", {"leftOperand": "count", "operator": "lteq", "rightOperand": 1}, "odrl:constraint"),
    ],
)
@pytest.mark.parametrize(
    "inside", [(), ("permission", 0), ("permission", 0, "target"), ("prohibition", 1, "assigner")]
)
def test_what_a_licence_cannot_say_is_named(
    inside: tuple[Any, ...], key: str, value: object, name: str
) -> None:
    def add(document: Json) -> None:
        place: Any = document
        for step in inside:
            place = place[step]
        place[key] = [*place[key], value] if key in place else value

    refused = _broken(add)
    assert set(refused.reasons) <= {"E302", "E202"}
    assert name in _told(refused) or "odrl:count" in _told(refused)


def _objects(value: object) -> list[Json]:
    if isinstance(value, list):
        return [found for one in value for found in _objects(one)]
    if not isinstance(value, dict):
        return []
    inner = [found for key, one in value.items() if key != "@context" for found in _objects(one)]
    return [value, *inner]


_KEYS = st.sampled_from(
    "x|@x|_:x|_:|:|a:b|@index|@nest|@included|@reverse|@graph|@list|@set|@value|@id|@type|@context|@json|@none|@import"
    "|uid|type|xsd:x|aml:|x y|#|?|".split("|")
)
_VALUES = st.sampled_from(
    [1, "x", "", True, None, 0.5, [], {}, ["x"], {"a": "b"}, {"@id": "urn:x"}, [[]], {"@list": []}]
)


@given(st.integers(0, 1_000), _KEYS, _VALUES)
@settings(max_examples=150)
def test_no_word_added_anywhere_is_lost(where: int, key: str, value: object) -> None:
    document: Json = copy.deepcopy(GOOD)
    objects = _objects(document)
    place = objects[where % len(objects)]
    if key in place:
        return
    place[key] = value
    try:
        licence = from_odrl(document)
    except LicenceRefused:
        return
    # An empty list says nothing, and the name of the agreement or of a rule is no term.
    assert licence == RESELLER
    assert value in ([], [[]]) or key in ("uid", "@id")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "null",
        "7",
        '"x"',
        "[]",
        "{}",
        "[7]",
        '["x"]',
        "[[]]",
        '{"a": NaN}',
        '{"a": 1e999}',
        '{"a": 1, "a": 2}',
        '{"a": ' + "9" * 5_000 + "}",
        "[" * 100_000,
        '{"a":' * 50 + "1" + "}" * 50,
        "[" + "{}," * 20_000 + "{}]",
        '{"a": "' + "x" * 300_000 + '"}',
        '{"@context": "https://example.org/context.jsonld"}',
        '{"@context": "file:///etc/passwd"}',
        '{"@context": 7}',
        '{"@context": null}',
        '{"@context": {"@import": "http://www.w3.org/ns/odrl.jsonld"}}',
        '{"@context": {"@base": "http://example.org/"}}',
        '{"@context": {"@vocab": ""}, "a": 1}',
        '{"@context": {"a": "@reverse"}, "a": {}}',
        '{"@context": {"a": {"@reverse": "odrl:x"}}}',
        '{"@context": {"a": {"@id": "odrl:x", "@context": {}}}}',
        '{"@context": {"a": "b", "b": "@id"}, "a": 7}',
        '{"@context": {"a": "b:c", "b": "a:d"}, "a": 7}',
        '{"@context": {"a": ""}, "a": 7}',
        '{"@context": {"a": null}, "a": 7}',
        '{"@id": 7}',
        '{"@type": 7}',
        '{"@type": [7]}',
        '{"@graph": [{}], "@id": "urn:x"}',
        '{"a": {"@graph": []}}',
        '{"a": {"@value": {}}}',
        '{"a": {"@value": 1, "b": 2}}',
        '{"a": {"@value": 1, "@type": 2}}',
        '{"a": null}',
        '{"a": "\\ud800"}',
        '{"@context": {"A": "http://www.w3.org/ns/odrl/2/Agreement"}, "@type": "A"}',
    ],
)
def test_a_hostile_document_is_refused(text: str) -> None:
    assert set(_refused(text).reasons) <= {"E301", "E302"}


@pytest.mark.parametrize("uid", ["Great Britain", "urn:x<y", "two\nlines", ""])
def test_an_entry_of_a_list_that_is_no_iri_is_not_passed_over(uid: str) -> None:
    refused = _broken(lambda d: _limit(d, "spatial")["rightOperand"]["@list"].append({"@id": uid}))
    assert refused.reasons == ("E301",)


def test_a_prefix_that_is_no_iri_is_refused() -> None:
    def add(document: Json) -> None:
        document["@context"] = document["@context"] | {"bad": "urn:not an iri:"}
        _limit(document, "spatial")["rightOperand"]["@list"].append({"@id": "bad:place"})

    assert _broken(add).reasons == ("E302",)


def test_a_word_that_is_no_iri_is_refused() -> None:
    assert _broken(lambda document: document["permission"][0].update({"pay later": True})).reasons == (
        "E302",
    )


def test_a_document_that_is_no_json_value_is_refused() -> None:
    endless: Json = {}
    endless["a"] = endless
    assert _refused(endless).reasons == ("E301",)
    assert _refused({"a": {1, 2}}).reasons == ("E301",)


def test_many_actions_are_refused_before_they_are_compared() -> None:
    def add(document: Json) -> None:
        for part in ("permission", "prohibition"):
            document[part][0]["action"] = [f"odrl:a{count}" for count in range(3_000)]

    assert "more than 64 of odrl:action" in _told(_broken(add))


def test_many_rules_are_refused_before_they_are_judged() -> None:
    def add(document: Json) -> None:
        rule = {"action": "aml:extract"}
        document["prohibition"] += [rule | {"uid": f"urn:x:{count}"} for count in range(500)]

    refused = _broken(add)
    assert refused.reasons == ("E301",)
    assert "more than 64 of odrl:prohibition" in _told(refused)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(_KEYS | st.text(), inner),
    )
)
@settings(max_examples=150)
def test_any_json_is_refused_and_nothing_else_happens(value: object) -> None:
    assert set(_refused(json.dumps(value)).reasons) <= {"E301", "E302"}


def test_the_profile_is_an_address_of_its_own() -> None:
    assert GOOD["profile"] == AML
