# SPDX-License-Identifier: Apache-2.0
"""EARs say what the verdict says, in both encodings and both forms of the draft, and only whole ones are believed."""

import base64
import json
from pathlib import Path

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from contracts.records import Level
from enclave.errors import MalformedEvidence, NotAuthentic
from enclave.evidence.ear import REASONS, TIERS, VECTOR, Appraised, Ear, Form, ear, tier, vector
from enclave.evidence.facts import RootStatus
from enclave.evidence.findings import Finding, Reason
from enclave.evidence.token import from_cwt, from_jwt, to_cwt, to_jwt
from tests.fakes.evidence import NOON

KEY = ec.generate_private_key(ec.SECP256R1())
BUILD = "exequatur 1"


def device(*reasons: Reason, label: str = "tdx.0", **other: object) -> Appraised:
    given: dict[str, object] = {
        "authentic": True,
        "level": Level.ISOLATED,
        "status": RootStatus.VENDOR,
    } | other
    findings = tuple(Finding(reason=r, expected="this", found="that", hint="so") for r in reasons)
    return Appraised(label=label, reasons=findings, **given)  # type: ignore[arg-type]  # tests name the fields


GOOD = device()
BAD = device(Reason.TCB, Reason.DEBUG, label="nvidia-gpu.1", level=Level.ROOTED)


def result(form: Form = Form.VERAISON_2023) -> Ear:
    return ear([GOOD, BAD], at=NOON, build=BUILD, policy="0xab", nonce=bytes(range(8)), form=form)


def test_the_claims_are_those_of_the_draft() -> None:
    assert result() == {
        "eat_profile": "tag:github.com,2023:veraison/ear",
        "iat": int(NOON.timestamp()),
        "ear.verifier-id": {"developer": "exequatur", "build": BUILD},
        "eat_nonce": "AAECAwQFBgc",
        "submods": {
            "tdx.0": {
                "ear.status": "affirming",
                "ear.trustworthiness-vector": {
                    "instance-identity": 2,
                    "configuration": 2,
                    "executables": 2,
                    "hardware": 2,
                    "runtime-opaque": 2,
                },
                "ear.appraisal-policy-id": "0xab",
            },
            "nvidia-gpu.1": {
                "ear.status": "contraindicated",
                "ear.trustworthiness-vector": {
                    "instance-identity": 2,
                    "configuration": 2,
                    "executables": 2,
                    "hardware": 32,
                    "runtime-opaque": 96,
                },
                "ear.appraisal-policy-id": "0xab",
                REASONS: [
                    {"rule": rule, "expected": "this", "found": "that", "hint": "so"}
                    for rule in ("tcb", "debug")
                ],
            },
        },
    }


def test_the_form_of_2026_has_other_names() -> None:
    claims = result(Form.IETF_2026)
    assert claims["eat_profile"] == "tag:ietf.org,2026:rats/ear#04"
    assert claims["ear_verifier_id"] == {"developer": "exequatur", "build": BUILD}
    submodule = claims["submods"]["tdx.0"]  # type: ignore[index]
    assert set(submodule) == {"ear_status", "ear_trustworthiness_vector", "ear_appraisal_policy_ids"}
    assert submodule["ear_appraisal_policy_ids"] == ["0xab"]


@pytest.mark.parametrize("form", Form)
def test_both_encodings_give_the_claims_back(form: Form) -> None:
    claims = result(form)
    assert from_jwt(to_jwt(claims, KEY), KEY.public_key()) == claims
    assert from_cwt(to_cwt(claims, KEY), KEY.public_key()) == claims


def test_the_cwt_has_the_numbers_of_the_draft() -> None:
    message = cbor2.loads(to_cwt(result(), KEY))
    claims = cbor2.loads(message.value[2])
    assert (message.tag, cbor2.loads(message.value[0])) == (18, {1: -7})
    assert set(claims) == {265, 6, 10, 266, 1004}
    assert claims[1004] == {0: "exequatur", 1: BUILD}
    assert claims[266]["nvidia-gpu.1"][1000] == 96
    assert claims[266]["nvidia-gpu.1"][1001] == {0: 2, 1: 2, 2: 2, 4: 32, 5: 96}
    assert claims[266]["tdx.0"][1003] == "0xab"


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_lowers_the_vector_and_the_status(reason: Reason) -> None:
    refused = device(reason)
    worst = vector(refused, judged=True)
    assert max(worst.values()) >= 32
    assert tier(refused) == "contraindicated"
    assert list(worst) == [name for name in VECTOR if name in worst]


def test_what_nobody_vouches_for_is_not_affirmed() -> None:
    for status in (RootStatus.TEST_ROOT, RootStatus.NONE):
        shown = device(status=status, level=Level.NONE)
        assert tier(shown) == "none"
        assert set(vector(shown, judged=True).values()) == {0}
    assert tier(device(authentic=False)) == "contraindicated"


def test_without_a_policy_nothing_is_said_of_code() -> None:
    claims = ear([GOOD], at=NOON, build=BUILD)
    module = claims["submods"]["tdx.0"]  # type: ignore[index]
    assert set(module["ear.trustworthiness-vector"]) == {"instance-identity", "hardware", "runtime-opaque"}
    assert "ear.appraisal-policy-id" not in module


def test_devices_have_labels_of_their_own() -> None:
    for devices in ([], [GOOD, GOOD]):
        with pytest.raises(ValueError, match="label"):
            ear(devices, at=NOON, build=BUILD)
    with pytest.raises(ValueError, match="nonce"):
        ear([GOOD], at=NOON, build=BUILD, nonce=b"short")


def test_only_the_verifier_s_p256_key_counts() -> None:
    stranger = ec.generate_private_key(ec.SECP256R1()).public_key()
    other_curve = ec.generate_private_key(ec.SECP384R1())
    for public in (stranger, other_curve.public_key()):
        with pytest.raises(NotAuthentic):
            from_jwt(to_jwt(result(), KEY), public)
        with pytest.raises(NotAuthentic):
            from_cwt(to_cwt(result(), KEY), public)
    for encode in (to_jwt, to_cwt):
        with pytest.raises(ValueError, match="P-256"):
            encode(result(), other_curve)


def test_no_bit_of_a_token_can_change() -> None:
    raw = to_cwt(result(), KEY)
    for place in range(0, len(raw), 7):
        changed = bytearray(raw)
        changed[place] ^= 1
        with pytest.raises((NotAuthentic, MalformedEvidence)):
            from_cwt(bytes(changed), KEY.public_key())
    token = to_jwt(result(), KEY)
    for place in range(0, len(token), 7):
        other = "A" if token[place] != "A" else "B"
        with pytest.raises((NotAuthentic, MalformedEvidence)):
            from_jwt(token[:place] + other + token[place + 1 :], KEY.public_key())


def header(**fields: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(fields).encode()).rstrip(b"=").decode()


def test_no_other_algorithm_is_taken() -> None:
    _, body, signature = to_jwt(result(), KEY).split(".")
    for head in (header(alg="none"), header(alg="HS256"), header(alg="ES256", jku="x"), header(), "bnVsbA"):
        for signed in (signature, ""):
            with pytest.raises((MalformedEvidence, NotAuthentic)):
                from_jwt(f"{head}.{body}.{signed}", KEY.public_key())


@pytest.mark.parametrize(
    "change",
    [
        {"eat_profile": "tag:example.org,2020:ear"},
        {"iat": 1.5},
        {"submods": {}},
        {"submods": {"tdx.0": {"ear.status": "splendid"}}},
        {"submods": {"tdx.0": {}}},
        {"submods": 7},
        {"ear.verifier-id": {"developer": "x"}},
    ],
)
def test_signed_claims_that_are_no_ear_are_malformed(change: Ear) -> None:
    with pytest.raises(MalformedEvidence):
        from_jwt(to_jwt(result() | change, KEY), KEY.public_key())


@pytest.mark.parametrize("payload", [b"", b"\xa0", b"\x80", cbor2.dumps({265: "x"}), cbor2.dumps([[]] * 9)])
def test_signed_cbor_that_is_no_ear_is_malformed(payload: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("enclave.evidence.token._labelled", lambda _: cbor2.CBORSimpleValue(0))
    monkeypatch.setattr("enclave.evidence.token.cbor2.dumps", _dumps_but(payload))
    raw = to_cwt(result(), KEY)
    monkeypatch.undo()
    with pytest.raises(MalformedEvidence):
        from_cwt(raw, KEY.public_key())


def _dumps_but(payload: bytes):  # type: ignore[no-untyped-def]
    real = cbor2.dumps
    return lambda value, **options: (
        payload if isinstance(value, cbor2.CBORSimpleValue) else real(value, **options)
    )


def test_a_signed_list_is_no_ear(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("enclave.evidence.token.rfc8785.dumps", lambda _: b"[]")
    token = to_jwt(result(), KEY)
    with pytest.raises(MalformedEvidence):
        from_jwt(token, KEY.public_key())


@pytest.mark.parametrize("token", ["", ".", "..", "a.b.c", "é.é.é", "A" * (1 << 20) + "..", "e30.e30.AA=="])
def test_what_is_no_token_is_malformed(token: str) -> None:
    with pytest.raises(MalformedEvidence):
        from_jwt(token, KEY.public_key())
    with pytest.raises(MalformedEvidence):
        from_cwt(token.encode(), KEY.public_key())


def test_the_specification_lists_the_mapping() -> None:
    spec = (Path(__file__).parents[3] / "enclave" / "evidence" / "SPEC.md").read_text("utf-8")
    section = spec[spec.index("## 11.") :]
    for reason in Reason:
        (worst,) = (
            (name, code)
            for name, code in vector(device(reason, status=RootStatus.NONE), judged=False).items()
        )
        row = next(line for line in section.splitlines() if f"`{worst[0]}` | {worst[1]} |" in line)
        assert reason.name in row.replace("|", ",").replace(" ", "").split(",")
    assert all(word in section for word in (*TIERS.values(), *(form.profile for form in Form)))
