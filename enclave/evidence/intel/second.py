# SPDX-License-Identifier: Apache-2.0
"""A second opinion on a quote, by an implementation that shares no line with ours (SPEC.md, section 6).

Evidence counts only where the two agree: on every field, on status and advisories, and on why if one refuses.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import dcap_qvl  # type: ignore[import-untyped]  # it has no py.typed

from contracts.documents import parse_json
from enclave.errors import NotAuthentic
from enclave.evidence.facts import Claims
from enclave.evidence.findings import Reason, fault
from enclave.evidence.intel.collateral import Fields
from enclave.evidence.intel.pck import Pck
from enclave.evidence.intel.quote import Quote
from enclave.evidence.intel.tcb import Tcb

REFUSALS: Mapping[str, Reason] = {
    "Debug mode is enabled": Reason.DEBUG,
    "TD profiling is enabled": Reason.DEBUG,
    "TD migration is enabled": Reason.DEBUG,
    "SERVTD_EXT is enabled": Reason.DEBUG,
    "Invalid MR service TD": Reason.DEBUG,
    "SEPT_VE_DISABLE is not enabled": Reason.DEBUG,
    "Reserved bits in TD attributes are set": Reason.DEBUG,
    "No matching TCB level found": Reason.TCB,
    "TCB status is invalid: Revoked": Reason.TCB,
    "is below minimum required": Reason.TCB,
    "No TDX module identity with id": Reason.TCB,
    "Failed to evaluate the current TDX TCB": Reason.TCB,
}
"""What the other implementation refuses as a matter of policy, and the reason that we must have found for it too."""
_NAMES = {f"rtmr{number}": f"rt_mr{number}" for number in range(4)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """What we found, for the other implementation to agree with; `raw` is the quote around our own path.

    It is handed nothing that we did not verify: its certificate parser ends the process on some chains.
    """

    quote: Quote
    raw: bytes = field(repr=False)
    report: Claims
    pck: Pck
    tcb: Tcb
    missed: frozenset[Reason]


def agree(ours: Ours, fields: Fields, *, root: bytes | None, at: datetime) -> None:
    """Raise `NotAuthentic` unless the other implementation says the same; `root` is a root of tests, in DER."""
    try:
        parsed = dcap_qvl.parse_quote(ours.raw)
        verified = _verified(ours, fields, root, int(at.timestamp()))
    except (ValueError, TypeError, OverflowError) as error:
        raise _apart("a quote that both implementations take", str(error)[:200]) from error
    except BaseException as error:  # a panic of Rust's is no Exception
        if type(error).__name__ != "PanicException":
            raise
        raise _apart("a quote that both implementations take", "it failed") from error
    differing = [*_parsed(ours, parsed), *_reported(ours, verified)]
    if differing:
        raise _apart("the same of every field", f"another {', '.join(sorted(set(differing)))}")


def _verified(ours: Ours, fields: Fields, root: bytes | None, at: int) -> str:
    """What it reports, in JSON; empty where it refuses for a reason that we found too."""
    collateral = dcap_qvl.QuoteCollateralV3(**{name: getattr(fields, name) for name in Fields.__slots__})
    try:
        if root is None:
            return str(dcap_qvl.verify(ours.raw, collateral, at).to_json())
        return str(dcap_qvl.verify_with_root_ca(ours.raw, collateral, root, at).to_json())
    except ValueError as error:
        if next((reason for text, reason in REFUSALS.items() if text in str(error)), None) in ours.missed:
            return ""
        raise


def _parsed(ours: Ours, parsed: dcap_qvl.Quote) -> Iterator[str]:
    """Names of the fields that it reads otherwise."""
    extension = parsed.pck_extension()
    described = {**ours.quote.claims(), **ours.report}
    for theirs, claims in ((parsed.header, described), (parsed.report, described)):
        for name, value in claims.items():
            if (other := getattr(theirs, _NAMES.get(name, name), None)) is not None and other != value:
                yield name
    if (parsed.header.version, parsed.is_tdx()) != (ours.quote.version, ours.quote.tdx):
        yield "version"
    for name in ("ppid", "cpu_svn", "pce_svn", "pce_id", "fmspc", "sgx_type", "platform_instance_id"):
        if getattr(extension, name, None) != getattr(ours.pck, name):
            yield name


def _reported(ours: Ours, verified: str) -> Iterator[str]:
    """Names of what it concludes otherwise."""
    if not verified:
        return
    answer = parse_json(verified)
    assert isinstance(answer, dict)
    if ours.missed & set(REFUSALS.values()):
        yield "acceptance"
    if (answer["status"], sorted(set(answer["advisory_ids"]))) != (ours.tcb.label, list(ours.tcb.advisories)):
        yield f"status {answer['status']} with {', '.join(answer['advisory_ids']) or 'no advisories'}"
    found = dict(_leaves(answer["report"]))
    for name, value in ours.report.items():
        other = found.get(_NAMES.get(name, name))
        if other is not None and other != (value.hex() if isinstance(value, bytes) else value):
            yield name


def _leaves(node: dict[str, object]) -> Iterator[tuple[str, object]]:
    for name, value in node.items():
        if isinstance(value, dict):
            yield from _leaves(value)
        else:
            yield name, value


def _apart(expected: str, found: str) -> NotAuthentic:
    return fault(Reason.SIGNATURE, expected, f"the second implementation: {found}")
