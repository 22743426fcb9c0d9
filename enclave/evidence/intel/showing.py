# SPDX-License-Identifier: Apache-2.0
"""A quote's own fields and those of the certificate inside, for people who have Intel's manual open."""

from enclave.evidence.certificates import key_digest, load_all
from enclave.evidence.facts import Claims
from enclave.evidence.intel.pck import Pck
from enclave.evidence.intel.quote import Quote


def shown(quote: Quote, report: Claims) -> Claims:
    """Every field of a quote over a body that says `report`, believed by nobody; raises `MalformedEvidence`."""
    certification = quote.certification
    chain = load_all(certification.chain.rstrip(b"\0"))
    return {
        **quote.claims(),
        **report,
        "signature": quote.signature,
        "attestation_key": quote.key,
        "qe_report": certification.report.claims(),
        "qe_report_signature": certification.signature,
        "qe_auth_data": certification.auth_data,
        "pck": Pck.of(chain[0]).claims(),
        "pck_chain": [
            {"subject": one.subject.rfc4514_string(), "key_sha256": key_digest(one)} for one in chain
        ],
    }
