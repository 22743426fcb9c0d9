# SPDX-License-Identifier: Apache-2.0
"""Which TCB a platform has reached by Intel's table, and what that amounts to (SPEC.md, section 5)."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from enclave.evidence.facts import Claims
from enclave.evidence.findings import Finding, Reason, fault
from enclave.evidence.intel.documents import ModuleIdentity, QeIdentity, TcbInfo
from enclave.evidence.intel.enclave import EnclaveReport
from enclave.evidence.intel.levels import Advised, Status, reached
from enclave.evidence.intel.pck import Pck

_UPDATE = "update microcode, firmware and TDX module of the platform, or fetch newer collateral"


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """The TDX module as a report describes it."""

    svn: bytes
    signer: bytes
    attributes: bytes

    @property
    def major(self) -> int:
        """Its major version, by which it has an identity of its own from 1 on."""
        return self.svn[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tcb:
    """The state of a platform, of which a part is None where Intel's table does not know it.

    `current` is the state by the TDX module of today, where a report says that it was updated since the launch.
    """

    platform: Advised | None
    module: Advised | None
    enclave: Advised | None
    tdx: bool
    evaluation: int
    current: "Tcb | None" = None

    @property
    def parts(self) -> tuple[Advised | None, ...]:
        """Platform, TDX module where there is one, and quoting enclave."""
        return (self.platform, self.module, self.enclave) if self.tdx else (self.platform, self.enclave)

    @property
    def known(self) -> tuple[Advised, ...]:
        """The parts that Intel's table knows."""
        return tuple(part for part in self.parts if part is not None)

    @property
    def status(self) -> Status | None:
        """Of all parts together."""
        if len(self.known) != len(self.parts):
            return None
        status = self.known[0].status
        for part in self.known[1:]:
            status = status.together(part.status)
        if self.current is None:
            return status
        return None if self.current.status is None else status.since(self.current.status)

    @property
    def label(self) -> str:
        """The status by Intel's name, or `NoMatchingLevel`."""
        return "NoMatchingLevel" if self.status is None else self.status.label

    @property
    def advisories(self) -> tuple[str, ...]:
        """Every advisory that applies to some part, sorted."""
        return tuple(sorted({name for part in self.known for name in part.advisories}))

    @property
    def date(self) -> datetime | None:
        """As of when Intel knew of the flaws that the oldest part still has or not."""
        return min((part.date for part in self.known), default=None)

    @property
    def acceptable(self) -> bool:
        """Whether Intel knows the TCB and did not revoke it."""
        return self.status not in (None, Status.REVOKED)

    def missed(self) -> Iterator[Finding]:
        """What no policy should accept."""
        if not self.acceptable:
            expected = "a TCB that Intel's table knows, and did not revoke"
            yield Finding(reason=Reason.TCB, expected=expected, found=self.label, hint=_UPDATE)

    def claims(self) -> Claims:
        """Status, advisories and dates; `tcb_standing` is 8 for UpToDate down to 0 for Revoked or unknown."""
        return {
            "tcb": {
                "result": "accept" if self.acceptable else "reject",
                "status": self.label,
                "advisory_ids": list(self.advisories),
            },
            "tcb_status": self.label,
            "tcb_standing": 0 if self.status is None else self.status.standing,
            "tcb_date": None if self.date is None else f"{self.date:%Y-%m-%dT%H:%M:%SZ}",
            "tcb_evaluation_data_number": self.evaluation,
        }


def assess(
    pck: Pck,
    enclave: EnclaveReport,
    module: Module | None,
    *,
    now_svn: bytes | None = None,
    tcb_info: TcbInfo,
    qe_identity: QeIdentity,
) -> Tcb:
    """The TCB of a platform; raises `NotAuthentic` where module or quoting enclave are not Intel's.

    `now_svn` is TEE_TCB_SVN2: what the TDX module was updated to after the domain was launched.
    """
    _is_for(pck, module, tcb_info, qe_identity)
    _is_intels(enclave, qe_identity)
    found = Tcb(
        platform=_platform(pck, module.svn if module else None, tcb_info),
        module=_module(module, tcb_info) if module else None,
        enclave=reached(qe_identity.levels, enclave.isv_svn),
        tdx=module is not None,
        evaluation=min(tcb_info.evaluation, qe_identity.evaluation),
    )
    if now_svn is None:
        return found
    today = replace(
        found, platform=_platform(pck, now_svn, tcb_info), module=_module_level(now_svn, tcb_info)
    )
    return replace(found, current=today)


def _is_for(pck: Pck, module: Module | None, tcb_info: TcbInfo, qe_identity: QeIdentity) -> None:
    wanted = ("TDX", "TD_QE") if module else ("SGX", "QE")
    hint = "fetch the collateral for the FMSPC and technology of this quote"
    if (tcb_info.id, qe_identity.id) != wanted:
        found = f"for {tcb_info.id} and {qe_identity.id}"
        raise fault(Reason.PLATFORM, f"collateral for {' and '.join(wanted)}", found, hint)
    if (tcb_info.fmspc, tcb_info.pce_id) != (pck.fmspc, pck.pce_id):
        found = f"FMSPC {tcb_info.fmspc.hex()}, PCE {tcb_info.pce_id.hex()}"
        expected = f"TCB info for FMSPC {pck.fmspc.hex()}, PCE {pck.pce_id.hex()}"
        raise fault(Reason.PLATFORM, expected, found, hint)


def _is_intels(enclave: EnclaveReport, identity: QeIdentity) -> None:
    """Refuse an attestation key that another enclave than Intel's quoting enclave made."""
    rules = {
        "MRSIGNER": enclave.mr_signer == identity.signer,
        "ISVPRODID": enclave.isv_prod_id == identity.product,
        "MISCSELECT": identity.misc_select.fits(enclave.misc_select),
        "ATTRIBUTES": identity.attributes.fits(enclave.attributes),
        "DEBUG": not enclave.debug,
    }
    if wrong := [name for name, holds in rules.items() if not holds]:
        raise fault(Reason.KEY, "Intel's quoting enclave", f"another {', '.join(wrong)}")


def _platform(pck: Pck, svn: bytes | None, info: TcbInfo) -> Advised | None:
    first = (
        2 if svn is not None and svn[1] > 0 else 0
    )  # the first two are the module's, which has its own levels
    for level in info.levels:
        if pck.pce_svn < level.pce_svn or not _covers(pck.components, level.sgx):
            continue
        if svn is None or _covers(tuple(svn[first:]), level.tdx[first:]):
            return level.advised
    return None


def _covers(have: tuple[int, ...], need: tuple[int, ...]) -> bool:
    return all(mine >= least for mine, least in zip(have, need, strict=True))


def _module(module: Module, info: TcbInfo) -> Advised | None:
    """The level of the TDX module, which must be Intel's."""
    found = _identity(module.major, info)
    if found and (found.signer != module.signer or not found.attributes.fits(module.attributes)):
        raise fault(
            Reason.TCB, f"the TDX module {found.id} that Intel signed", "another signer or attributes"
        )
    return _module_level(module.svn, info)


def _module_level(svn: bytes, info: TcbInfo) -> Advised | None:
    """The level of a TDX module; major version 0 has none of its own and takes the platform's."""
    found = _identity(svn[1], info)
    if found is not None and svn[1] == 0:
        return Advised(status=Status.UP_TO_DATE, date=info.issued, advisories=())
    return reached(found.levels, svn[0]) if found else None


def _identity(major: int, info: TcbInfo) -> ModuleIdentity | None:
    if major == 0:
        return info.module
    return next((one for one in info.modules if one.id == f"TDX_{major:02X}"), None)
