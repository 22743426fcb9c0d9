# SPDX-License-Identifier: Apache-2.0
"""Verification of recorded evidence against the bare signature checks that it cannot do without.

`verify_<kind>_vs_limit` is the time of those checks, keys and messages at hand, over the time of judging the body of a
bundle with no signature remembered (certificates were read before, as a vendor's own are); for TDX, whose checks `dcap-qvl` does in Rust, that library is the limit.
`verify_<kind>_again_vs_first` is how much faster the same device is judged a second time.
"""

import json
from collections.abc import Callable
from pathlib import Path

import cbor2
import dcap_qvl
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, HashAlgorithm

from enclave.evidence import certificates, issuing
from enclave.evidence.detect import detect
from enclave.evidence.examine import Expected, examine, trusting
from tests.bench.timing import ROOT, interleaved, ratio, timed
from tests.fakes.recorded import Recorded, recorded

SAMPLES = {
    "sev_snp": "sev-snp/milan-v2-vcek",
    "aws_nitro": "aws-nitro/enclave-2025-12",
    "nvidia_gpu": "nvidia/hopper-550.90.07-with-nras-claims",
    "tpm": "tpm/gcp-sev-vtpm-ak-chain",
    "tdx": "tdx/v4-b0c06f-2025",
}
_ROUNDS, _REPEATS = 15, 4

Check = Callable[[], object]


def run() -> dict[str, float]:
    """The figures of every technology; nothing where the recorded evidence is absent."""
    shared = ROOT.parent / "shared" / "evidence"
    samples = {sample.name: sample for sample in recorded(shared)}
    figures: dict[str, float] = {}
    for kind, name in SAMPLES.items():
        if name in samples:
            figures |= _compare(kind, samples[name])
    return figures


def _compare(kind: str, sample: Recorded) -> dict[str, float]:
    pieces, roots = ([path.read_bytes() for path in paths] for paths in (sample.pieces, sample.trusted))
    trust, bare = trusting(roots), _LIMITS[kind](sample)
    device = detect(sample.evidence.read_bytes(), [*pieces, *roots])

    def judge() -> None:
        found = examine(device, trust=trust, at=sample.moment, expected=Expected())
        assert found.authentic, found.reasons

    def first() -> None:
        issuing.issued.cache_clear()
        issuing.ways.cache_clear()
        judge()

    def limit() -> None:
        for check in bare:
            check()

    def times(work: Check) -> Callable[[], float]:
        return lambda: timed(lambda: [work() for _ in range(_REPEATS)])

    judge()
    seen = interleaved({"first": times(first), "again": times(judge), "limit": times(limit)}, _ROUNDS)
    return {
        f"verify_{kind}_vs_limit": ratio(seen, "limit", "first"),
        f"verify_{kind}_again_vs_first": ratio(seen, "first", "again"),
    }


def _edge(child: x509.Certificate, parent: x509.Certificate) -> Check:
    key, hashed = parent.public_key(), child.signature_hash_algorithm
    assert hashed is not None
    signature, signed = child.signature, child.tbs_certificate_bytes
    if isinstance(key, rsa.RSAPublicKey):
        scheme = child.signature_algorithm_parameters
        assert isinstance(scheme, padding.PSS | padding.PKCS1v15)
        return lambda: key.verify(signature, signed, scheme, hashed)
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return lambda: key.verify(signature, signed, ec.ECDSA(hashed))


def _edges(leaf: x509.Certificate, pool: list[x509.Certificate]) -> list[Check]:
    """The signatures from a leaf up to, and without, the root's own."""
    checks, top = [], leaf
    while top.issuer != top.subject:
        issuer = next(c for c in pool if c.subject == top.issuer and certificates.issued(top, c))
        checks.append(_edge(top, issuer))
        top = issuer
    return checks


def _ecdsa(
    leaf: x509.Certificate, signature: bytes, signed: bytes, hashed: HashAlgorithm, order: str
) -> Check:
    key, half = leaf.public_key(), len(signature) // 2
    assert isinstance(key, ec.EllipticCurvePublicKey)
    r, s = (int.from_bytes(part, order) for part in (signature[:half], signature[half:]))  # type: ignore[arg-type]
    return lambda: key.verify(utils.encode_dss_signature(r, s), signed, ec.ECDSA(hashed))


def _all(*paths: Path) -> list[x509.Certificate]:
    return [certificate for path in paths for certificate in certificates.load_all(path.read_bytes())]


def _snp(sample: Recorded) -> list[Check]:
    report = sample.evidence.read_bytes()
    (leaf,) = _all(sample.folder / "endorsement_key.der")
    checks = _edges(leaf, _all(sample.folder / "ask_ark_asvk.pem"))
    return [*checks, _ecdsa(leaf, report[0x2A0 : 0x2A0 + 144], report[:0x2A0], SHA384(), "little")]


def _nitro(sample: Recorded) -> list[Check]:
    protected, _, payload, signature = cbor2.loads(sample.evidence.read_bytes())
    document = cbor2.loads(payload)
    leaf, *pool = map(certificates.load, [document["certificate"], *document["cabundle"]])
    signed = cbor2.dumps(["Signature1", protected, b"", payload])
    return [*_edges(leaf, pool), _ecdsa(leaf, signature, signed, SHA384(), "big")]


def _nvidia(sample: Recorded) -> list[Check]:
    report = sample.evidence.read_bytes()
    chain = _all(sample.folder / "cert_chain.pem", sample.folder / "device_root.pem")
    leaf = next(c for c in chain if all(c.subject != other.issuer for other in chain))
    return [*_edges(leaf, chain), _ecdsa(leaf, report[-96:], report[:-96], SHA384(), "big")]


def _tpm(sample: Recorded) -> list[Check]:
    fixture = json.loads(sample.evidence.read_bytes())
    leaf, *pool = certificates.load_all(fixture["attestation"]["gcp"]["ak_cert_chain"].encode())
    (quote,) = fixture["attestation"]["tpm"].values()
    signed, signature = (bytes.fromhex(quote[name]) for name in ("attest_data", "signature"))
    key = leaf.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    roots = _all(sample.folder / "gcp-ek-ak-root.pem")
    return [*_edges(leaf, [*pool, *roots]), lambda: key.verify(signature, signed, ec.ECDSA(SHA256()))]


def _tdx(sample: Recorded) -> list[Check]:
    quote, document = (
        sample.evidence.read_bytes(),
        json.loads((sample.folder / "collateral.json").read_text()),
    )
    for name in ("root_ca_crl", "pck_crl", "tcb_info_signature", "qe_identity_signature"):
        document[name] = bytes.fromhex(document[name])
    collateral, now = dcap_qvl.QuoteCollateralV3(**document), int(sample.moment.timestamp())
    return [lambda: dcap_qvl.verify(quote, collateral, now)]


_LIMITS: dict[str, Callable[[Recorded], list[Check]]] = {
    "sev_snp": _snp,
    "aws_nitro": _nitro,
    "nvidia_gpu": _nvidia,
    "tpm": _tpm,
    "tdx": _tdx,
}
