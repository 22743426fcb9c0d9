# SPDX-License-Identifier: Apache-2.0
"""Certificate paths: what counts as one, and each way in which a certificate, list or pool is turned away alone."""

import warnings
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from enclave.errors import NotAuthentic
from enclave.evidence.certificates import LONGEST_PATH, Path, load, path
from enclave.evidence.facts import RootStatus
from enclave.evidence.revocation import load_crl
from enclave.evidence.trust import Trust
from tests.fakes.authorities import PSS, Authority, chain, name, new_key, usage
from tests.fakes.evidence import NOON

NOBODY = Trust(enrollers=frozenset(), extra_roots=frozenset())
DAY = timedelta(days=1)
CA = {"authority": True}


def up(
    leaf: Authority,
    *pool: Authority,
    vendor: Authority | None = None,
    trust: Trust = NOBODY,
    at: datetime = NOON,
    crls: Sequence[x509.CertificateRevocationList] = (),
) -> Path:
    roots = vendor.vendor if vendor else {}
    certificates = [one.certificate for one in pool]
    return path(leaf.certificate, certificates, roots=roots, trust=trust, at=at, crls=crls)


def refused(*line: Authority, match: str = ".", reason: str = "CERTIFICATE", **how: object) -> None:
    """The line, leaf first and a vendor's root last, is refused for one reason."""
    with pytest.raises(NotAuthentic, match=match) as caught:
        up(*line, **{"vendor": line[-1], **how})  # type: ignore[arg-type]
    assert caught.value.reasons == (reason,)


@pytest.mark.parametrize("kind", ["P-256", "P-384", "P-521", "RSA-2048"])
def test_a_path_ends_at_a_vendor_or_at_a_root_that_trust_adds(kind: str) -> None:
    leaf, middle, root = chain("Middle", kind=kind)
    found = up(leaf, middle, root, vendor=root)
    assert (found.status, found.vendor, found.root) == (RootStatus.VENDOR, "Test vendor", root.digest)
    assert found.keys == (leaf.digest, middle.digest, root.digest)
    added = up(leaf, middle, root, trust=root.trust)
    assert added.status is RootStatus.TEST_ROOT
    assert root.digest.hex() in added.vendor
    assert up(leaf, middle, root, vendor=root, trust=root.trust).status is RootStatus.VENDOR


def test_the_order_of_certificates_and_strangers_among_them_do_not_count() -> None:
    leaf, low, high, root = chain("High", "Low")
    strangers = chain("High", "Low")
    expected = up(leaf, low, high, root, vendor=root).certificates
    for pool in ((root, high, low), (leaf, *strangers, low, root, high, high)):
        assert up(leaf, *pool, vendor=root).certificates == expected


def test_a_pinned_intermediate_ends_the_path_and_a_root_s_own_signature_is_never_asked_for() -> None:
    leaf, middle, root = chain("Middle")
    assert up(leaf, middle, root, vendor=middle).keys == (leaf.digest, middle.digest)
    impostor = Authority.root("Root")
    unsigned = Authority.root("Root", key=root.key).issue(  # another certificate of the pinned key
        name("Root"), key=root.key, issuer_name=name("Nobody"), **CA
    )
    assert up(leaf, middle, unsigned, vendor=root).root == root.digest
    refused(leaf, middle, impostor)


def test_a_leaf_whose_own_key_is_trusted_is_a_path() -> None:
    leaf, *_ = chain()
    assert up(leaf, trust=leaf.trust).certificates == (leaf.certificate,)


def test_pss_signatures_count() -> None:
    root = Authority.root(kind="RSA-2048", pss=PSS, hashed=hashes.SHA384())
    leaf = root.issue(pss=PSS, hashed=hashes.SHA384())
    assert up(leaf, root, vendor=root).root == root.digest


def test_validity_is_half_open_for_every_certificate() -> None:
    line = chain("Middle")
    leaf = line[0].certificate
    up(*line, vendor=line[-1], at=leaf.not_valid_before_utc)
    up(*line, vendor=line[-1], at=leaf.not_valid_after_utc - timedelta(seconds=1))
    refused(*line, match="valid at", at=leaf.not_valid_after_utc)
    refused(*line, match="valid at", at=leaf.not_valid_before_utc - timedelta(seconds=1))
    root = Authority.root()
    for middle in (root.issue("M", **CA, lasts=DAY), root.issue("M", **CA, since=-DAY)):
        refused(middle.issue(), middle, root, match="valid at")
    old = Authority.root(lasts=DAY)
    refused(old.issue(), old, match="valid at")


def test_a_path_is_in_force_while_all_of_it_is() -> None:
    root = Authority.root()
    middle = root.issue("M", **CA, since=timedelta(hours=5), lasts=3 * DAY)
    leaf = middle.issue(since=timedelta(hours=7), lasts=9 * DAY)
    crl = root.crl(since=timedelta(hours=1), lasts=2 * DAY)
    found = up(leaf, middle, root, vendor=root)
    assert (found.not_before, found.not_after) == (
        NOON - timedelta(hours=5),
        NOON - timedelta(hours=5) + 3 * DAY,
    )
    assert found.oldest_crl is None
    listed = up(leaf, middle, root, vendor=root, crls=[crl])
    assert (listed.not_before, listed.not_after) == (crl.last_update_utc, crl.next_update_utc)
    assert listed.oldest_crl == crl.last_update_utc


def test_unknown_roots_and_missing_issuers_are_told_apart() -> None:
    leaf, middle, root = chain("Middle")
    with pytest.raises(NotAuthentic, match=root.digest.hex()) as caught:
        up(leaf, middle, root)
    assert caught.value.reasons == ("ROOT",)
    assert "--trust" in caught.value.hint
    refused(leaf, root, match="nothing that issued certificate 0")
    with pytest.raises(NotAuthentic, match="nothing that issued certificate 1"):
        up(leaf, middle, vendor=root)
    with pytest.raises(NotAuthentic, match="nothing that issued certificate 0"):
        up(leaf, vendor=root)


@pytest.mark.parametrize(
    "flaw",
    [
        {"authority": False, "key_usage": usage("key_cert_sign")},
        {"basic": False},
        {"key_usage": usage("digital_signature", "crl_sign")},
        {"path_length": 0},
    ],
)
def test_only_authorities_issue(flaw: dict[str, object]) -> None:
    root = Authority.root()
    middle = root.issue("M", **{**CA, **flaw})  # type: ignore[arg-type]
    below = middle.issue("L", **CA)
    refused(below.issue(), below, middle, root, match="nothing that issued certificate 1")


def test_a_path_length_counts_the_authorities_below() -> None:
    root = Authority.root(path_length=1)
    high = root.issue("High", **CA)
    low = high.issue("Low", **CA)
    assert up(high.issue(), high, root, vendor=root)
    refused(low.issue(), low, high, root)


def test_an_authority_without_key_usage_may_issue() -> None:
    root = Authority.root(key_usage=None)
    assert up(root.issue(), root, vendor=root)


def test_paths_are_bounded() -> None:
    names = [f"Middle {number}" for number in range(LONGEST_PATH)]
    line = chain(*names[: LONGEST_PATH - 2])
    assert len(up(*line, vendor=line[-1]).certificates) == LONGEST_PATH
    refused(*chain(*names[: LONGEST_PATH - 1]))


def test_pools_that_loop_or_branch_end() -> None:
    a, b = Authority.root("A"), Authority.root("B")
    ab = a.issue(name("B"), key=b.key, **CA)
    ba = b.issue(name("A"), key=a.key, **CA)
    leaf = b.issue()
    with pytest.raises(NotAuthentic) as caught:
        up(leaf, ab, ba, vendor=Authority.root())
    assert caught.value.reasons == ("CERTIFICATE",)
    key = new_key()
    bomb = [Authority.root("Same", key=key, serial=serial) for serial in range(1, 40)]
    with pytest.raises(NotAuthentic, match="attempts"):
        up(bomb[0].issue(), *bomb, vendor=leaf)


def test_a_cross_signed_authority_counts_by_whichever_path_holds() -> None:
    old, new = Authority.root("Old"), Authority.root("New")
    key = new_key()
    expired = old.issue("M", key=key, **CA, lasts=DAY)
    current = new.issue("M", key=key, **CA)
    leaf = current.issue()
    roots = old.vendor | new.vendor
    pool = [one.certificate for one in (expired, old, current, new)]
    found = path(leaf.certificate, pool, roots=roots, trust=NOBODY, at=NOON)
    assert found.root == new.digest
    revoked = new.crl(current)
    with pytest.raises(NotAuthentic, match="valid at"):  # of paths that do not hold, the first is explained
        path(leaf.certificate, pool, roots=roots, trust=NOBODY, at=NOON, crls=[revoked])


def test_revocation_lists_that_hold_are_obeyed() -> None:
    leaf, middle, root = line = chain("Middle")
    other = middle.issue("Other")
    fine = (root.crl(), middle.crl(other))
    assert up(*line, vendor=root, crls=fine).crls == fine[::-1]
    refused(*line, crls=[middle.crl(leaf)], match="revoked on")
    refused(*line, crls=[middle.crl(), root.crl(middle)], match="revoked on")
    assert up(*line, vendor=root, crls=[middle.crl(leaf, when=NOON + DAY)])
    assert up(*line, vendor=root, crls=[other.crl()])


def test_authorities_with_long_names_revoke_too() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        long = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tpm" * 30, _validate=False)])
        root = Authority.root()
        middle = root.issue(long, **CA)
        leaf = middle.issue()
        raws = [crl.public_bytes(Encoding.DER) for crl in (middle.crl(), middle.crl(leaf))]
    assert load(leaf.der).issuer == load(middle.der).subject
    fine, revoking = map(load_crl, raws)
    leaf, middle = (replace(one, certificate=load(one.der)) for one in (leaf, middle))
    assert up(leaf, middle, root, vendor=root, crls=[fine])
    refused(leaf, middle, root, crls=[revoking], match="revoked on")


def test_revocation_lists_that_do_not_hold_are_refused() -> None:
    _, middle, root = line = chain("Middle")
    refused(*line, crls=[middle.crl(since=31 * DAY, lasts=30 * DAY)], match="in force")
    refused(*line, crls=[middle.crl(since=30 * DAY, lasts=30 * DAY)], match="in force")
    refused(*line, crls=[middle.crl(since=-DAY)], match="in force")
    refused(*line, crls=[middle.crl(by=root)], match="another signature")
    refused(*line, crls=[middle.crl(by=Authority.root(kind="RSA-2048"))], match="another signature")
    refused(*line, crls=[middle.crl(hashed=hashes.SHA3_256())], match="another signature")
    delta = (x509.DeltaCRLIndicator(1), True)
    refused(*line, crls=[middle.crl(extensions=[delta])], match="complete")
    silent = root.issue("Silent", **CA, key_usage=usage("key_cert_sign"))
    refused(silent.issue(), silent, root, crls=[silent.crl()], match="another signature")


@pytest.mark.parametrize("indirect", [False, True])
def test_a_list_of_others_is_no_list_of_the_issuer(indirect: bool) -> None:
    _, middle, root = line = chain("Middle")
    where = [x509.UniformResourceIdentifier("http://vendor.example/crl")]
    point = x509.IssuingDistributionPoint(where, None, False, False, None, indirect, False)
    crl = middle.crl(extensions=[(point, True)])
    if indirect:
        refused(*line, crls=[crl], match="complete")
    else:
        assert up(*line, vendor=root, crls=[crl])


def within(*permitted: x509.GeneralName, excluded: Sequence[x509.GeneralName] = ()) -> x509.NameConstraints:
    return x509.NameConstraints(list(permitted) or None, list(excluded) or None)


def directory(**names: str) -> x509.DirectoryName:
    common = names.pop("common", None)
    whole = name(common or "x", **names)
    return x509.DirectoryName(whole if common else x509.Name(list(whole)[:-1]))


MACHINE = name("Machine", ORGANIZATION_NAME="Plant  Ltd", COUNTRY_NAME="DE")
OTHER_FORMS = x509.SubjectAlternativeName([x509.DNSName("machine.example")])


@pytest.mark.parametrize(
    ("limits", "holds"),
    [
        (within(directory(ORGANIZATION_NAME="Plant  Ltd")), True),
        (within(directory(ORGANIZATION_NAME="PLANT ltd")), True),
        (within(directory(ORGANIZATION_NAME="Plant  Ltd", COUNTRY_NAME="DE")), True),
        (within(directory(COUNTRY_NAME="DE")), False),
        (within(directory(ORGANIZATION_NAME="Another")), False),
        (within(directory(ORGANIZATION_NAME="Another"), directory(ORGANIZATION_NAME="Plant Ltd")), True),
        (within(excluded=[directory(ORGANIZATION_NAME="Another")]), True),
        (within(excluded=[directory(ORGANIZATION_NAME="pLANT lTD")]), False),
        (
            within(
                directory(ORGANIZATION_NAME="Plant Ltd"),
                excluded=[directory(common="Machine", ORGANIZATION_NAME="Plant Ltd", COUNTRY_NAME="DE")],
            ),
            False,
        ),
        (within(x509.DNSName("machine.example")), False),
        (within(excluded=[x509.DNSName("elsewhere.example")]), False),
        (within(x509.UniformResourceIdentifier("example")), True),
    ],
)
def test_name_constraints_hold_for_everything_below(limits: x509.NameConstraints, holds: bool) -> None:
    root = Authority.root(extensions=((limits, True),))
    leaf = root.issue(MACHINE, extensions=((OTHER_FORMS, False),))
    if holds:
        assert up(leaf, root, vendor=root)
    else:
        refused(leaf, root, match="constraints")


def test_a_mail_address_in_a_subject_is_a_name_too() -> None:
    root = Authority.root(extensions=((within(x509.RFC822Name("example.com")), True),))
    refused(root.issue(name("M", EMAIL_ADDRESS="m@elsewhere.example")), root, match="constraints")
    assert up(root.issue("M"), root, vendor=root)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_an_unknown_critical_extension_is_refused_anywhere(place: int) -> None:
    def with_extension(critical: bool) -> tuple[Authority, ...]:
        odd = ((x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), critical),)
        its = [odd if number == place else () for number in range(3)]
        root = Authority.root(extensions=its[2])
        middle = root.issue("M", **CA, extensions=its[1])
        return middle.issue(extensions=its[0]), middle, root

    up(*(fine := with_extension(False)), vendor=fine[-1])
    refused(*with_extension(True), match=r"1\.2\.3\.4")


@pytest.mark.parametrize("kind", ["P-224", "K-256", "RSA-1024", "Ed25519"])
def test_weak_and_unknown_issuers_do_not_count(kind: str) -> None:
    root = Authority.root(kind=kind)
    refused(root.issue(), root)
