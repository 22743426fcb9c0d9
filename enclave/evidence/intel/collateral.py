# SPDX-License-Identifier: Apache-2.0
"""Intel's collateral: what it says of platforms and quoting enclaves, signed, and its revocation lists (SPEC.md, section 4).

TCB info and QE identity are kept as the text that Intel signed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from functools import lru_cache
from typing import Self

from cryptography import x509

from contracts.documents import parse_json
from enclave.errors import MalformedEvidence
from enclave.evidence.certificates import load_all
from enclave.evidence.intel.documents import QeIdentity, TcbInfo
from enclave.evidence.revocation import load_crl

_LONGEST = 1 << 20
_WHERE = "collateral"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """The nine fields of QuoteCollateralV3; signatures are r and s, the lists DER."""

    pck_crl_issuer_chain: str = field(repr=False)
    root_ca_crl: bytes = field(repr=False)
    pck_crl: bytes = field(repr=False)
    tcb_info_issuer_chain: str = field(repr=False)
    tcb_info: str = field(repr=False)
    tcb_info_signature: bytes = field(repr=False)
    qe_identity_issuer_chain: str = field(repr=False)
    qe_identity: str = field(repr=False)
    qe_identity_signature: bytes = field(repr=False)

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read JSON in which bytes are hex; further keys are not ours to judge and mean nothing."""
        if len(raw) > _LONGEST:
            raise MalformedEvidence(f"longer than {_LONGEST} bytes", where=_WHERE)
        try:
            document = parse_json(raw)
            assert isinstance(document, dict)
            return cls(**{one.name: _value(document[one.name], one.type) for one in fields(cls)})  # type: ignore[arg-type]  # `_value` checks
        except (ValueError, KeyError, AssertionError, RecursionError) as error:
            raise MalformedEvidence("not the nine fields of quote collateral", where=_WHERE) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Collateral:
    """Collateral that is well formed, and not yet believed."""

    fields: Fields = field(repr=False)
    tcb_info: TcbInfo
    qe_identity: QeIdentity
    root_crl: x509.CertificateRevocationList
    pck_crl: x509.CertificateRevocationList
    tcb_chain: tuple[x509.Certificate, ...]
    qe_chain: tuple[x509.Certificate, ...]
    pool: tuple[x509.Certificate, ...]
    issuers: tuple[x509.Name, x509.Name]  # of the two lists, which make their names anew each time

    @classmethod
    def parse(cls, raw: bytes) -> "Collateral":
        """Read all nine fields; raises `MalformedEvidence`."""
        return _parse(raw)


@lru_cache(maxsize=32)
def _parse(raw: bytes) -> Collateral:
    found = Fields.parse(raw)
    tcb_chain, qe_chain, pck_chain = (
        load_all(chain.encode())
        for chain in (
            found.tcb_info_issuer_chain,
            found.qe_identity_issuer_chain,
            found.pck_crl_issuer_chain,
        )
    )
    root_crl, pck_crl = load_crl(found.root_ca_crl), load_crl(found.pck_crl)
    return Collateral(
        fields=found,
        tcb_info=TcbInfo.parse(found.tcb_info),
        qe_identity=QeIdentity.parse(found.qe_identity),
        root_crl=root_crl,
        pck_crl=pck_crl,
        tcb_chain=tcb_chain,
        qe_chain=qe_chain,
        pool=tuple(dict.fromkeys((*tcb_chain, *qe_chain, *pck_chain))),
        issuers=(root_crl.issuer, pck_crl.issuer),
    )


def _value(value: object, kind: object) -> str | bytes:
    if not isinstance(value, str):
        raise ValueError("not a string")
    value.encode()  # half of a surrogate pair has no bytes that could be signed
    return bytes.fromhex(value) if kind in (bytes, "bytes") else value


def instants(collateral: Collateral) -> Mapping[str, tuple[datetime, datetime]]:
    """From and until when each signed document is in force."""
    return {
        "tcb-info": (collateral.tcb_info.issued, collateral.tcb_info.until),
        "qe-identity": (collateral.qe_identity.issued, collateral.qe_identity.until),
    }
