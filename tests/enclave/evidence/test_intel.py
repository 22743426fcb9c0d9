# SPDX-License-Identifier: Apache-2.0
"""What an Intel of our own must not get away with: signatures, chains, collateral and quoting enclave, one at a time."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from enclave.errors import MalformedEvidence, NotAuthentic
from enclave.evidence.certificates import key_digest, load
from enclave.evidence.enclosed import Enclosed
from enclave.evidence.facts import RootStatus
from enclave.evidence.intel import second
from enclave.evidence.intel.quote import Quote
from enclave.evidence.tdx.verify import TECHNOLOGY as TDX
from enclave.evidence.trust import Trust
from tests.fakes.authorities import Authority, new_key
from tests.fakes.evidence import NOON
from tests.fakes.intel import FMSPC, NUMBER, PPID, FakeIntel, signed, svn_level

DAY = timedelta(days=1)
Flaw = Callable[[FakeIntel], None]


@pytest.fixture(params=["tdx-4", "tdx-5", "sgx-3"])
def intel(request: pytest.FixtureRequest) -> FakeIntel:
    return FakeIntel.sgx() if request.param == "sgx-3" else FakeIntel.tdx(int(request.param[-1]))


def test_a_good_quote_is_believed_at_level_none(intel: FakeIntel) -> None:
    facts = intel.facts()
    assert (facts.status, facts.missed, facts.level) == (RootStatus.TEST_ROOT, (), 0)
    assert (facts.bound, facts.identity, facts.clock) == (b"R" * 32 + bytes(32), PPID, "host")
    assert (facts.not_before, facts.not_after) == (NOON - DAY, NOON + 20 * DAY)
    assert facts.inputs == {
        "tcb-info": NOON - 2 * DAY,
        "qe-identity": NOON - 2 * DAY,
        "crl": NOON - DAY,
        "certificate": NOON - DAY,
    }
    vouched = [intel.pck, intel.platform_ca, intel.root, intel.signer]
    assert set(facts.certificates) == {key_digest(one.certificate) for one in vouched}
    assert facts.claims["fmspc"] == FMSPC
    assert facts.claims["pck"]["platform_instance_id"] == b"I" * 16
    shown = " ".join(facts.trace)
    assert PPID.hex() not in shown
    assert FMSPC.hex() in shown


def test_a_platform_without_ppid_is_known_by_its_key() -> None:
    intel = FakeIntel.tdx()
    intel.platform(ppid=bytes(16))
    assert intel.facts().identity == key_digest(intel.pck.certificate)


def turned_away(intel: FakeIntel) -> str:
    with pytest.raises(NotAuthentic) as caught:
        intel.facts()
    (reason,) = caught.value.reasons
    return reason


def another_root(intel: FakeIntel) -> None:
    intel.trust = Trust(enrollers=frozenset(), extra_roots=frozenset({b"x" * 32}))


def another_attestation_key(intel: FakeIntel) -> None:
    intel.quote()  # the quoting enclave's report is made for the first key
    intel.attestation = ec.generate_private_key(ec.SECP256R1())


def another_pck(intel: FakeIntel) -> None:
    intel.pck = Authority(certificate=intel.pck.certificate, key=new_key())


def quoting_enclave(at: int, value: int) -> Flaw:
    def change(intel: FakeIntel) -> None:
        intel.qe[at] = value

    return change


def expired(name: str) -> Flaw:
    def change(intel: FakeIntel) -> None:
        issuer = intel.platform_ca if name == "pck" else intel.root
        common = {"pck": "Intel SGX PCK Certificate", "signer": "Intel SGX TCB Signing"}[name]
        old = getattr(intel, name)
        extensions = tuple(
            (e.value, e.critical) for e in old.certificate.extensions if "13.1" in e.oid.dotted_string
        )
        late = issuer.issue(common, extensions=extensions, since=3 * DAY, lasts=2 * DAY)
        setattr(intel, name, late)

    return change


def revoked(name: str) -> Flaw:
    def change(intel: FakeIntel) -> None:
        intel.revoked = (getattr(intel, name),)

    return change


def document(name: str, key: str, value: object) -> Flaw:
    def change(intel: FakeIntel) -> None:
        getattr(intel, name)[key] = value

    return change


def edit(name: str, change: Callable[[str], str]) -> Flaw:
    def flaw(intel: FakeIntel) -> None:
        intel.edit = lambda fields: fields.update({name: change(str(fields[name]))})

    return flaw


def foreign_signer(intel: FakeIntel) -> None:
    intel.signer = intel.root.issue("Intel SGX PCK Certificate")


def below_platform_ca(intel: FakeIntel) -> None:
    intel.signer = intel.platform_ca.issue("Intel SGX TCB Signing")
    chain = (intel.signer.pem + intel.platform_ca.pem + intel.root.pem).decode()
    intel.edit = lambda fields: fields.update(tcb_info_issuer_chain=chain, qe_identity_issuer_chain=chain)


def foreign_crl(intel: FakeIntel) -> None:
    stranger = Authority.root("Intel SGX PCK Platform CA")
    crl = stranger.crl(extensions=[NUMBER]).public_bytes(Encoding.DER).hex()
    intel.edit = lambda fields: fields.update(pck_crl=crl)


def no_crl_of_root(intel: FakeIntel) -> None:
    intel.edit = lambda fields: fields.update(root_ca_crl=fields["pck_crl"])


def no_crl_of_platform_ca(intel: FakeIntel) -> None:
    intel.edit = lambda fields: fields.update(pck_crl=fields["root_ca_crl"])


def root_written_otherwise(intel: FakeIntel) -> None:
    old, tag = intel.root.der, b"\x0c\x11Intel SGX Root CA"
    other = old[: -len(old) // 2].replace(tag, b"\x13" + tag[1:]) + old[-len(old) // 2 :]
    assert other != old
    intel.root = Authority(certificate=load(other), key=intel.root.key)


def twice(intel: FakeIntel) -> None:
    intel.pieces = (intel.collateral(),)


def later(days: int) -> Flaw:
    def change(intel: FakeIntel) -> None:
        intel.at = NOON + days * DAY

    return change


SOON = f"{NOON + DAY:%Y-%m-%dT%H:%M:%SZ}"
NOW = f"{NOON:%Y-%m-%dT%H:%M:%SZ}"
FLAWS: dict[str, tuple[Flaw, str]] = {
    "a root that nobody added": (another_root, "ROOT"),
    "an attestation key that no quoting enclave made": (another_attestation_key, "SIGNATURE"),
    "authentication data of another report": (
        lambda i: (i.quote(), setattr(i, "auth_data", b"x"))[0],
        "SIGNATURE",
    ),
    "a report signed by another PCK": (another_pck, "SIGNATURE"),
    "a quoting enclave of another signer": (quoting_enclave(128, 1), "KEY"),
    "a quoting enclave of another product": (quoting_enclave(256, 9), "KEY"),
    "a quoting enclave with other MISCSELECT": (quoting_enclave(16, 1), "KEY"),
    "a quoting enclave with other attributes": (quoting_enclave(48, 0x35), "KEY"),
    "a quoting enclave that can be debugged": (quoting_enclave(48, 0x17), "KEY"),
    "an expired PCK certificate": (expired("pck"), "CERTIFICATE"),
    "an expired signer of collateral": (expired("signer"), "CERTIFICATE"),
    "a revoked PCK": (revoked("pck"), "CERTIFICATE"),
    "a revoked platform CA": (revoked("platform_ca"), "CERTIFICATE"),
    "a revoked signer of collateral": (revoked("signer"), "CERTIFICATE"),
    "a revocation list by somebody else": (foreign_crl, "CERTIFICATE"),
    "no revocation list of the root": (no_crl_of_root, "CERTIFICATE"),
    "no revocation list of the platform CA": (no_crl_of_platform_ca, "CERTIFICATE"),
    "a signer of collateral for another use": (foreign_signer, "CERTIFICATE"),
    "a signer of collateral below a platform CA": (below_platform_ca, "CERTIFICATE"),
    "a root's certificate that the root did not make": (root_written_otherwise, "CERTIFICATE"),
    "collateral twice": (twice, "CERTIFICATE"),
    "TCB info of the future": (document("tcb_info", "issueDate", SOON), "CERTIFICATE"),
    "TCB info until now": (document("tcb_info", "nextUpdate", NOW), "CERTIFICATE"),
    "QE identity of the future": (document("qe_identity", "issueDate", SOON), "CERTIFICATE"),
    "QE identity until now": (document("qe_identity", "nextUpdate", NOW), "CERTIFICATE"),
    "everything three weeks later": (later(20), "CERTIFICATE"),
    "before anything was made": (later(-3), "CERTIFICATE"),
    "TCB info for another family": (document("tcb_info", "fmspc", "00" * 6), "PLATFORM"),
    "TCB info for another PCE": (document("tcb_info", "pceId", "0001"), "PLATFORM"),
    "TCB info changed": (edit("tcb_info", lambda text: text.replace("UpToDate", "OutOfDate")), "SIGNATURE"),
    "TCB info written otherwise": (edit("tcb_info", lambda text: text + " "), "SIGNATURE"),
    "QE identity changed": (
        edit("qe_identity", lambda text: text.replace("UpToDate", "Revoked")),
        "SIGNATURE",
    ),
    "a signature of no length": (edit("tcb_info_signature", lambda text: ""), "SIGNATURE"),
}


@pytest.mark.parametrize("flaw", FLAWS)
def test_each_flaw_alone_turns_a_quote_away(intel: FakeIntel, flaw: str) -> None:
    change, reason = FLAWS[flaw]
    change(intel)
    assert turned_away(intel) == reason


def test_collateral_is_for_one_technology() -> None:
    tdx, sgx = FakeIntel.tdx(), FakeIntel.sgx()
    tdx.tcb_info = sgx.tcb_info
    assert turned_away(tdx) == "PLATFORM"
    sgx.qe_identity["id"] = "TD_QE"
    assert turned_away(sgx) == "PLATFORM"


def test_a_quote_without_collateral_is_not_believed() -> None:
    intel = FakeIntel.tdx()
    body = Enclosed(evidence=intel.quote(), pieces=()).encode()
    with pytest.raises(NotAuthentic) as caught:
        TDX.verify(body, 0, node=None, trust=intel.root.trust, at=NOON)
    assert "PCS" in caught.value.hint


def test_without_second_opinion_nothing_counts(intel: FakeIntel, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ValueError("something else")

    monkeypatch.setattr(second.dcap_qvl, "verify_with_root_ca", refuse)
    assert turned_away(intel) == "SIGNATURE"


def test_an_implementation_that_panics_turns_a_quote_away(
    intel: FakeIntel, monkeypatch: pytest.MonkeyPatch
) -> None:
    class PanicException(BaseException):
        pass

    def fail(error: type[BaseException]) -> Callable[..., None]:
        def called(*_: object) -> None:
            raise error

        return called

    monkeypatch.setattr(second.dcap_qvl, "verify_with_root_ca", fail(PanicException))
    assert turned_away(intel) == "SIGNATURE"
    monkeypatch.setattr(second.dcap_qvl, "verify_with_root_ca", fail(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        intel.facts()


@pytest.mark.parametrize(("name", "value"), [("status", "OutOfDate"), ("advisory_ids", ["INTEL-SA-00001"])])
def test_implementations_that_disagree_turn_a_quote_away(
    intel: FakeIntel, monkeypatch: pytest.MonkeyPatch, name: str, value: object
) -> None:
    verify = second.dcap_qvl.verify_with_root_ca

    class Other:
        def __init__(self, *arguments: object) -> None:
            self._text = json.loads(verify(*arguments).to_json())

        def to_json(self) -> str:
            return json.dumps({**self._text, name: value})

    monkeypatch.setattr(second.dcap_qvl, "verify_with_root_ca", Other)
    assert turned_away(intel) == "SIGNATURE"


@pytest.mark.parametrize("part", ["header", "report", "pck_extension"])
def test_a_field_that_they_read_otherwise_turns_a_quote_away(
    intel: FakeIntel, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    parse, lie = second.dcap_qvl.parse_quote, b"otherwise"

    class Other:
        def __init__(self, whole: object, changed: dict[str, object]) -> None:
            self._whole, self._changed = whole, changed

        def __getattr__(self, name: str) -> object:
            return self._changed.get(name) or getattr(self._whole, name)

    def parsed(raw: bytes) -> Other:
        whole = parse(raw)
        changed = {
            "header": Other(whole.header, {"user_data": lie}),
            "report": Other(whole.report, {"report_data": lie}),
            "pck_extension": lambda: Other(whole.pck_extension(), {"fmspc": lie}),
        }
        return Other(whole, {part: changed[part]})

    monkeypatch.setattr(second.dcap_qvl, "parse_quote", parsed)
    assert turned_away(intel) == "SIGNATURE"


MALFORMED: dict[str, Flaw] = {
    "bytes behind the quote": lambda intel: setattr(intel, "padding", b"\0\1"),
    "a version nobody knows": lambda intel: setattr(intel, "version", 6),
    "a TCB info of version 2": document("tcb_info", "version", 2),
    "TCBs of another type": document("tcb_info", "tcbType", 1),
    "a status nobody knows": document("qe_identity", "tcbLevels", [svn_level(8, "Fine")]),
    "a relaunch that Intel does not publish": document(
        "qe_identity", "tcbLevels", [svn_level(8, "TDRelaunchAdvised")]
    ),
    "no levels": document("tcb_info", "tcbLevels", None),
    "levels of no objects": document("tcb_info", "tcbLevels", [1]),
    "a level of fewer components": document(
        "tcb_info", "tcbLevels", [{"tcb": {"sgxtcbcomponents": [], "pcesvn": 1}, **svn_level(1, "UpToDate")}]
    ),
    "an FMSPC that is no hex": document("tcb_info", "fmspc", "zz" * 6),
    "an FMSPC of another size": document("tcb_info", "fmspc", "00"),
    "a date that is none": document("tcb_info", "issueDate", "yesterday"),
    "a number that is none": document("tcb_info", "tcbEvaluationDataNumber", True),
    "a QE identity of version 1": document("qe_identity", "version", 1),
    "advisories that are no texts": document(
        "qe_identity", "tcbLevels", [{**svn_level(8, "UpToDate"), "advisoryIDs": [1]}]
    ),
    "a chain of no certificates": edit("tcb_info_issuer_chain", lambda text: "-----BEGIN CERTIFICATE-----"),
    "a list that is none": edit("pck_crl", lambda text: "00"),
    "TCB info that is no JSON": edit("tcb_info", lambda text: "{"),
    "a field that is no text": lambda intel: setattr(intel, "edit", lambda f: f.update(qe_identity=1)),
    "a field that is missing": lambda intel: setattr(intel, "edit", lambda f: f.pop("pck_crl")),
}


@pytest.mark.parametrize("flaw", MALFORMED)
def test_what_does_not_parse_is_malformed(intel: FakeIntel, flaw: str) -> None:
    MALFORMED[flaw](intel)
    if flaw == "a version nobody knows" and not intel.is_tdx:
        pytest.skip("the fake would make it TDX")
    with pytest.raises(MalformedEvidence):
        intel.facts()


@pytest.mark.parametrize(
    "value", [b"", b"\x30", b"\x30\x80", b"\x30\x03\x02\x01\x00", b"\x31\x00", b"\x30\x00", b"\x30\x00\x00"]
)
def test_a_pck_whose_extension_does_not_parse_is_malformed(value: bytes) -> None:
    intel = FakeIntel.tdx()
    extension = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.840.113741.1.13.1"), value)
    intel.pck = intel.platform_ca.issue("Intel SGX PCK Certificate", extensions=((extension, False),))
    with pytest.raises(MalformedEvidence):
        intel.facts()
    intel.pck = intel.platform_ca.issue("Intel SGX PCK Certificate")
    with pytest.raises(MalformedEvidence):
        intel.facts()


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=800))
def test_a_quote_parses_or_is_malformed(raw: bytes) -> None:
    for head in (b"", FakeIntel.tdx().quote()[:640]):
        try:
            Quote.parse(head + raw)
        except MalformedEvidence:
            continue


def test_signatures_are_64_bytes() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    assert len(signed(key, b"")) == 64


def test_half_a_surrogate_pair_is_malformed() -> None:
    intel = FakeIntel.tdx()
    intel.edit = lambda fields: fields.update(pck_crl_issuer_chain="\ud800")
    with pytest.raises(MalformedEvidence):
        intel.facts()
