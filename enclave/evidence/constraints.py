# SPDX-License-Identifier: Apache-2.0
"""Name constraints of issuers (RFC 5280, section 4.2.1.10), for the forms that device certificates use.

Subjects are compared as directory names; a constraint on any other form refuses certificates that bear such a name.
"""

from collections.abc import Sequence

from cryptography import x509


def permits_names(issuer: x509.Certificate, below: x509.Certificate) -> bool:
    """Whether every name of `below` lies within the name constraints of `issuer`."""
    try:
        limits = issuer.extensions.get_extension_for_class(x509.NameConstraints).value
    except x509.ExtensionNotFound:
        return True
    permitted, excluded = list(limits.permitted_subtrees or ()), list(limits.excluded_subtrees or ())
    return all(_permitted(name, permitted, excluded) for name in _names(below))


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
    top = list(limit.value.rdns)
    return list(name.value.rdns)[: len(top)] == top
