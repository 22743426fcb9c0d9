# SPDX-License-Identifier: Apache-2.0
"""PSA, CCA and virtCCA tokens of devices of our own: each claim and each key wrong alone."""

from dataclasses import replace
from datetime import timedelta

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from contracts.records import Level
from enclave.errors import MalformedEvidence, NotAuthentic
from enclave.evidence.arm.psa import TECHNOLOGY as PSA
from enclave.evidence.facts import Facts, RootStatus
from enclave.evidence.findings import Reason
from enclave.evidence.kinds import Kind
from enclave.evidence.trust import Trust
from tests.fakes.arm import UEID, FakeRealm, component, judged, psa_claims, sign1, spki
from tests.fakes.authorities import Authority, digest_of, new_key
from tests.fakes.evidence import NOON

KEY, OTHER = new_key("P-256"), new_key("P-256")
TRUST = Trust(enrollers=frozenset(), extra_roots=frozenset({digest_of(KEY)}))
NOBODY = Trust(enrollers=frozenset(), extra_roots=frozenset())
OLD = {
    10: -75008, 256: -75009, 265: -75000, 2394: -75001, 2395: -75002, 2396: -75003, 2399: -75006, 2397: -75004,
}  # fmt: skip


def psa(*pieces: bytes, trust: Trust = TRUST, key: object = KEY, **changes: object) -> Facts:
    return judged(Kind.PSA, sign1(psa_claims(**changes), key), *(pieces or (spki(KEY),)), trust=trust)


def test_a_psa_token_may_name_the_profile_of_the_rfc_or_mention_the_older_one() -> None:
    assert psa(c265="tag:psacertified.org,2023:psa#tfm").workload == psa().workload
    assert psa(c2398="formerly PSA_IOT_PROFILE_1").workload == psa().workload


def test_a_psa_token_says_who_and_what() -> None:
    facts = psa()
    assert (facts.bound, facts.identity) == (b"\x11" * 32, UEID)
    assert (facts.status, facts.level, facts.potential) == (RootStatus.TEST_ROOT, Level.NONE, Level.ROOTED)
    assert facts.missed == ()
    assert facts.claims["2395"] == 0x3000
    assert psa(c2399=[component("BL", 9)]).workload != facts.workload == psa(c10=b"\x12" * 32).workload


def test_the_profile_before_says_the_same_by_other_numbers() -> None:
    old = {OLD[number]: value for number, value in psa_claims().items()} | {-75000: "PSA_IOT_PROFILE_1"}
    facts = judged(Kind.PSA, sign1(old, KEY), spki(KEY), trust=TRUST)
    assert (facts.workload, facts.identity, facts.bound) == (psa().workload, UEID, b"\x11" * 32)
    assert "-75009" in facts.claims
    mixed = old | {2399: [component("BL")]}
    with pytest.raises(MalformedEvidence):
        judged(Kind.PSA, sign1(mixed, KEY), spki(KEY), trust=TRUST)


@pytest.mark.parametrize(
    "change",
    [
        {"c10": None}, {"c10": b"\x11" * 31}, {"c10": "nonce"}, {"c256": b"\x02" * 33}, {"c256": UEID[:32]},
        {"c265": "http://arm.com/psa/3.0.0"}, {"c2394": 1 << 31}, {"c2394": 0}, {"c2395": "secured"}, {"c2395": True},
        {"c2396": b""}, {"c2399": []}, {"c2399": [{1: "BL"}]}, {"c2399": [component("BL") | {99: 1}]},
        {"c2399": [component("BL") | {2: b"short"}]}, {"c2399": {1: 2}}, {"c77": 1}, {"c2400": ""},
        {"c2398": b"no text"}, {"c2397": b"short"},
    ],
    ids=str,
)  # fmt: skip
def test_a_psa_claim_of_another_form_is_malformed(change: dict[str, object]) -> None:
    with pytest.raises(MalformedEvidence):
        psa(**change)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xd2",
        b"\xd1" + sign1(psa_claims(), KEY)[1:],
        sign1(psa_claims(), KEY) + b"\0",
        sign1(cbor2.dumps(psa_claims()) + b"\0", KEY),
        sign1(b"\xa2\x0a\x01\x0a\x01", KEY),
        sign1([1, 2], KEY),
        sign1(psa_claims() | {1 << 40000: 1}, KEY),  # a name that is too long to be printed
        sign1(psa_claims(), KEY, header={2: [1]}),
        b"\xd2" + cbor2.dumps([b"\xa0", {}, b"", bytes(64)]),
        b"\xd2" + cbor2.dumps([b"\x81\x26", {}, b"", bytes(64)]),
        b"\xd2" + cbor2.dumps([cbor2.dumps({1: -7}), {}, b"", bytes(63)]),
        b"\xd2" + cbor2.dumps([cbor2.dumps({1: -8}), {}, b"", bytes(64)]),
        b"\xd2" + cbor2.dumps([cbor2.dumps({1: -7}), [], b"", bytes(64)]),
        b"\xd2" + cbor2.dumps([cbor2.dumps({1: -7}), {}, None, bytes(64)]),
    ],
    ids=lambda _: "token",
)
def test_what_is_no_signed_token_is_malformed(raw: bytes) -> None:
    with pytest.raises(MalformedEvidence):
        judged(Kind.PSA, raw, spki(KEY), trust=TRUST)


def test_a_mac_is_refused_with_what_to_do() -> None:
    token = b"\xd1" + sign1(psa_claims(), KEY)[1:]
    assert PSA.recognise(token)
    with pytest.raises(MalformedEvidence) as caught:
        PSA.show(PSA.wrap(token))
    assert "signed" in caught.value.hint


@pytest.mark.parametrize(
    ("pieces", "trust", "key", "reason"),
    [
        ((spki(KEY),), NOBODY, KEY, Reason.ROOT),
        ((spki(OTHER),), TRUST, KEY, Reason.SIGNATURE),
        ((spki(KEY),), TRUST, OTHER, Reason.SIGNATURE),
        ((spki(KEY), spki(OTHER)), TRUST, OTHER, Reason.ROOT),
        ((), TRUST, KEY, Reason.SIGNATURE),
    ],
)
def test_a_key_that_nobody_vouches_for_is_no_key(
    pieces: tuple[bytes, ...], trust: Trust, key: object, reason: Reason
) -> None:
    with pytest.raises(NotAuthentic) as caught:
        judged(Kind.PSA, sign1(psa_claims(), key), *pieces, trust=trust)
    assert [finding.reason for finding in caught.value.findings] == [reason]


def test_a_certificate_vouches_for_a_key() -> None:
    root = Authority.root()
    leaf = root.issue("Device", key=KEY)
    facts = psa(leaf.der, root.der, trust=root.trust)
    assert (facts.status, facts.certificates) == (RootStatus.TEST_ROOT, (leaf.digest, root.digest))
    assert facts.not_after == leaf.certificate.not_valid_after_utc
    for pieces, trust in (((leaf.der,), root.trust), ((leaf.der, root.der), NOBODY)):
        with pytest.raises(NotAuthentic):
            psa(*pieces, trust=trust)
    with pytest.raises(NotAuthentic):
        judged(
            Kind.PSA,
            sign1(psa_claims(), KEY),
            leaf.der,
            root.der,
            trust=root.trust,
            at=NOON + timedelta(days=999),
        )
    revoked = root.crl(leaf).public_bytes(encoding=_der())
    with pytest.raises(NotAuthentic):
        psa(leaf.der, root.der, revoked, trust=root.trust)


def _der() -> object:
    from cryptography.hazmat.primitives.serialization import Encoding

    return Encoding.DER


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"c2395": 0x2FFF}, Reason.DEBUG),
        ({"c2395": 0x3100}, Reason.DEBUG),
        ({"c2395": 0x4000}, Reason.DEBUG),
        ({"c2394": -1}, Reason.KEY),
    ],
)
def test_a_device_that_can_be_debugged_or_asked_by_anybody_is_held_against_it(
    change: dict[str, object], reason: Reason
) -> None:
    assert [finding.reason for finding in psa(**change).missed] == [reason]
    assert UEID.hex() not in str(psa(**change).missed)


@pytest.mark.parametrize("tagged", [False, True], ids=["1.0.0", "tag"])
def test_a_realm_on_a_platform(tagged: bool) -> None:
    facts = FakeRealm(tagged_profile=tagged).facts()
    assert (facts.bound, facts.identity, facts.missed) == (b"\x11" * 64, UEID, ())
    assert (facts.level, facts.potential) == (Level.NONE, Level.ISOLATED)
    assert list(facts.registers) == [
        "rim",
        "rem0",
        "rem1",
        "rem2",
        "rem3",
        "platform_software",
        "platform_config",
    ]


GOOD = FakeRealm()


@pytest.mark.parametrize(
    "fake",
    [
        GOOD.but(realm={"c44238": b"\x02" * 32}),
        GOOD.but(realm={"c44239": [bytes(32)] * 4}),
        GOOD.but(platform={"c2399": [component("RMM", 9)]}),
        GOOD.but(platform={"c2401": b"\xce" * 4}),
    ],
)
def test_the_workload_covers_realm_and_platform(fake: FakeRealm) -> None:
    assert fake.facts().workload != GOOD.facts().workload


def test_a_platform_in_another_life_cycle_is_held_against_it() -> None:
    missed = GOOD.but(platform={"c2395": 0x3100}).facts().missed
    assert [finding.reason for finding in missed] == [Reason.DEBUG]


def test_a_realm_of_another_platform_is_refused() -> None:
    other = FakeRealm(cpak=GOOD.cpak)
    (platform, _), (_, realm) = GOOD.tokens(), other.tokens()
    with pytest.raises(NotAuthentic) as caught:
        judged(Kind.CCA, GOOD.token({44234: platform, 44241: realm}), spki(GOOD.cpak), trust=GOOD.trust)
    assert [finding.reason for finding in caught.value.findings] == [Reason.BINDING]


def test_a_realm_signed_by_another_key_is_refused() -> None:
    forged = sign1(cbor2.loads(cbor2.loads(GOOD.tokens()[1][1:])[2]), new_key("P-384"))
    with pytest.raises(NotAuthentic) as caught:
        judged(
            Kind.CCA, GOOD.token({44234: GOOD.tokens()[0], 44241: forged}), spki(GOOD.cpak), trust=GOOD.trust
        )
    assert [finding.reason for finding in caught.value.findings] == [Reason.SIGNATURE]


def test_a_platform_key_that_nobody_trusts_is_refused() -> None:
    with pytest.raises(NotAuthentic) as caught:
        GOOD.facts(trust=NOBODY)
    assert [finding.reason for finding in caught.value.findings] == [Reason.ROOT]


@pytest.mark.parametrize(
    "raw",
    [
        GOOD.token()[:-1],
        GOOD.token() + b"\0",
        b"\xd9\x01\x8f\xa0",
        b"\xd9\x01\x8f\x01",
        b"\xd9\x01\x8f\xd8\x24\x60",  # a mail, which looks up names of its own
        b"\xd9\x01\x90" + GOOD.token()[3:],
        GOOD.token({44234: GOOD.tokens()[0]}),
        GOOD.token({44234: GOOD.tokens()[0], 44241: GOOD.tokens()[1], 7: b""}),
        GOOD.token({44234: 1, 44241: 2}),
        GOOD.but(realm={"c44237": b"\x04" + bytes(96)}).token(),
        GOOD.but(realm={"c44237": b"\x04" + bytes(95)}).token(),
        GOOD.but(realm={"c44237": cbor2.dumps({1: 2, -1: 1, -2: bytes(48), -3: bytes(48)})}).token(),
        GOOD.but(realm={"c44239": [bytes(32)] * 3}).token(),
        GOOD.but(realm={"c44240": "md5"}).token(),
        GOOD.but(realm={"c10": bytes(32)}).token(),
        GOOD.but(realm={"c44235": None}).token(),
        GOOD.but(platform={"c2402": None}).token(),
        GOOD.but(platform={"c265": "http://arm.com/psa/2.0.0"}).token(),
        GOOD.but(platform={"c1": 1}).token(),
    ],
)
def test_malformed_cca_tokens_are_malformed(raw: bytes) -> None:
    with pytest.raises((MalformedEvidence, NotAuthentic)) as caught:
        judged(Kind.CCA, raw, spki(GOOD.cpak), trust=GOOD.trust)
    named = isinstance(
        caught.value, NotAuthentic
    )  # a realm's key that does not parse was not vouched for either
    assert not named or [finding.reason for finding in caught.value.findings] == [Reason.BINDING]


def test_a_realm_s_key_is_a_map() -> None:
    class Listed(FakeRealm):
        def key_claim(self) -> bytes:
            numbers = self.rak.public_key().public_numbers()
            x, y = (n.to_bytes(48, "big") for n in (numbers.x, numbers.y))
            return cbor2.dumps([0, 2, y, x, 2])

    with pytest.raises(MalformedEvidence):
        Listed(tagged_profile=True).facts()


def test_profiles_of_platform_and_realm_belong_together() -> None:
    for fake in (
        GOOD.but(realm={"c265": "tag:arm.com,2023:realm#1.0.0"}),
        FakeRealm(tagged_profile=True, realm={"c265": None}),
    ):
        with pytest.raises(MalformedEvidence):
            fake.facts()


def virtcca(key: object, *pieces: bytes, trust: Trust, tag: bool = True, **changes: object) -> Facts:
    said: dict[int, object] = {
        10: b"\x11" * 64,
        44235: bytes(64),
        44236: "sha-256",
        44237: b"\x30" * 550,
        44238: b"\x01" * 32,
        44239: [bytes(32)] * 4,
        44240: "sha-256",
    }
    said |= {int(name[1:]): value for name, value in changes.items()}
    signed = sign1(said, key, tag=False)
    entry = cbor2.CBORTag(18, cbor2.loads(signed)) if tag else b"\xd2" + signed
    return judged(Kind.VIRTCCA, b"\xd9\x01\x8f" + cbor2.dumps({44241: entry}), *pieces, trust=trust)


@pytest.mark.parametrize("kind", ["RSA-3072", "P-384"])
@pytest.mark.parametrize("tag", [True, False])
def test_a_virtcca_machine_vouches_by_its_certificates(kind: str, tag: bool) -> None:
    root = Authority.root("Vendor", "RSA-3072")
    leaf = root.issue("AIK", kind)
    facts = virtcca(leaf.key, leaf.der, root.der, trust=root.trust, tag=tag)
    assert (facts.identity, facts.bound, facts.potential) == (leaf.digest, b"\x11" * 64, Level.ISOLATED)
    assert facts.level is Level.NONE
    assert (
        virtcca(leaf.key, leaf.der, root.der, trust=root.trust, c44238=b"\2" * 32).workload != facts.workload
    )
    with pytest.raises(NotAuthentic):
        virtcca(leaf.key, leaf.der, root.der, trust=NOBODY, tag=tag)
    with pytest.raises(NotAuthentic):
        virtcca(new_key(kind), leaf.der, root.der, trust=root.trust, tag=tag)


@pytest.mark.parametrize(
    "raw",
    [
        b"\xd9\x01\x8f\xa1\x19\xac\xd1\x01",
        b"\xd9\x01\x8f\xa1\x19\xac\xd1\xd2\x01",
        b"\xd9\x01\x8f\xa1\x19\xac\xd1\xd1\x80",
        b"\xd9\x01\x8f\xa1\x01\x40",
        b"\xd9\x01\x8f\xa0",
        b"\xd9\x01\x8f\xd8\x24\x60",
        b"\xd9\x01\x8f\x80",
        b"\xd9\x01\x8f\xa1\x19\xac\xd1\xd2\x84\x40\xd8\x24\x60\x40\x40",  # a mail, which can be decoded only
    ],
)
def test_malformed_virtcca_tokens_are_malformed(raw: bytes) -> None:
    with pytest.raises(MalformedEvidence):
        judged(Kind.VIRTCCA, raw, trust=NOBODY)


def test_a_key_on_another_curve_signs_nothing() -> None:
    assert isinstance(KEY, ec.EllipticCurvePrivateKey)
    with pytest.raises(NotAuthentic):
        judged(Kind.PSA, sign1(psa_claims(), new_key("P-384")), spki(KEY), trust=replace(TRUST))
