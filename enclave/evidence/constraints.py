# SPDX-License-Identifier: Apache-2.0
"""What issuers allow below them: name constraints (RFC 5280, section 4.2.1.10) and critical extensions.

Subjects are compared as directory names, in the way of section 7.1: case and runs of spaces do not count. A constraint
on any other form of name refuses certificates that bear such a name.
"""

from collections.abc import Sequence

from cryptography import x509
from cryptography.x509.oid import NameOID

from enclave.evidence.findings import Reason, fault

_UNDERSTOOD = frozenset(
    {
        x509.BasicConstraints.oid,
        x509.KeyUsage.oid,
        x509.ExtendedKeyUsage.oid,
        x509.NameConstraints.oid,
        x509.SubjectAlternativeName.oid,
        x509.CertificatePolicies.oid,
        x509.CRLDistributionPoints.oid,
        x509.ObjectIdentifier("2.23.133.5.4.1"),  # TCG DICE TcbInfo
        x509.ObjectIdentifier("2.23.133.5.4.4"),  # TCG DICE Ueid
        x509.ObjectIdentifier("2.23.133.5.4.5"),  # TCG DICE MultiTcbInfo
    }
)


def check_names(path: Sequence[x509.Certificate]) -> None:
    """Refuse a path, leaf first, with a critical extension that we ignore or a name outside an issuer's constraints."""
    for depth, certificate in enumerate(path):
        unknown = [e.oid for e in certificate.extensions if e.critical and e.oid not in _UNDERSTOOD]
        if unknown:
            found = ", ".join(oid.dotted_string for oid in unknown)
            raise fault(Reason.CERTIFICATE, "critical extensions that we understand", found)
        if not all(permits_names(certificate, below) for below in path[:depth]):
            raise fault(Reason.CERTIFICATE, "names within the issuers' constraints", "a name outside them")


def permits_names(issuer: x509.Certificate, below: x509.Certificate) -> bool:
    """Whether every name of `below` lies within the name constraints of `issuer`."""
    try:
        limits = issuer.extensions.get_extension_for_class(x509.NameConstraints).value
    except x509.ExtensionNotFound:
        return True
    permitted, excluded = list(limits.permitted_subtrees or ()), list(limits.excluded_subtrees or ())
    if not all(_permitted(name, permitted, excluded) for name in _names(below)):
        return False
    mail = any(isinstance(limit, x509.RFC822Name) for limit in (*permitted, *excluded))
    return not (mail and below.subject.get_attributes_for_oid(NameOID.EMAIL_ADDRESS))


def _names(certificate: x509.Certificate) -> list[x509.GeneralName]:
    subject: list[x509.GeneralName] = [x509.DirectoryName(certificate.subject)] if certificate.subject else []
    try:
        alternative = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return subject
    return [*subject, *alternative]


def _permitted(
    name: x509.GeneralName, permitted: Sequence[x509.GeneralName], excluded: Sequence[x509.GeneralName]
) -> bool:
    allowed = [limit for limit in permitted if type(limit) is type(name)]
    refused = [limit for limit in excluded if type(limit) is type(name)]
    if not isinstance(name, x509.DirectoryName):
        return not allowed and not refused
    return not any(_within(name, limit) for limit in refused) and (
        not allowed or any(_within(name, limit) for limit in allowed)
    )


def _within(name: x509.DirectoryName, limit: x509.GeneralName) -> bool:
    if not isinstance(limit, x509.DirectoryName):
        return False
    top = _folded(limit.value)
    return _folded(name.value)[: len(top)] == top


def _folded(name: x509.Name) -> list[frozenset[tuple[str, str]]]:
    return [frozenset((one.oid.dotted_string, _fold(one.value)) for one in rdn) for rdn in name.rdns]


def _fold(value: str | bytes) -> str:
    return value.hex() if isinstance(value, bytes) else " ".join(value.split()).casefold()
