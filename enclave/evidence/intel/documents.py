# SPDX-License-Identifier: Apache-2.0
"""TCB info (version 3) and QE identity (version 2), the two documents that Intel signs (SPEC.md, section 4)."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from enclave.errors import MalformedEvidence
from enclave.evidence.intel.levels import Advised, Level, Masked, Node


@dataclass(frozen=True, slots=True, kw_only=True)
class TcbLevel:
    """One line of the table: a platform with at least these versions has this status."""

    sgx: tuple[int, ...]
    tdx: tuple[int, ...]
    pce_svn: int
    advised: Advised

    @classmethod
    def read(cls, node: Node) -> Self:
        """Read one entry of `tcbLevels`."""
        tcb = node.child("tcb")
        return cls(
            sgx=tuple(part.number("svn") for part in tcb.children("sgxtcbcomponents")),
            tdx=tuple(part.number("svn") for part in tcb.children("tdxtcbcomponents", missing=True)),
            pce_svn=tcb.number("pcesvn"),
            advised=Advised.read(node),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleIdentity:
    """One major version of the TDX module: who signed it, its attributes, and its own levels."""

    id: str
    signer: bytes
    attributes: Masked
    levels: tuple[Level, ...]

    @classmethod
    def read(cls, node: Node, *, id_: str) -> Self:
        """Read `tdxModule`, which has no levels, or an entry of `tdxModuleIdentities`."""
        return cls(
            id=id_,
            signer=node.hex("mrsigner", 48),
            attributes=Masked(value=node.hex("attributes", 8), mask=node.hex("attributesMask", 8)),
            levels=tuple(map(Level.read, node.children("tcbLevels", missing=True))),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TcbInfo:
    """What Intel says of the platforms of one family; `modules` without the one for major version 0."""

    id: str
    issued: datetime
    until: datetime
    fmspc: bytes
    pce_id: bytes
    evaluation: int
    levels: tuple[TcbLevel, ...] = field(repr=False)
    module: ModuleIdentity | None = field(repr=False)
    modules: tuple[ModuleIdentity, ...] = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read version 3; raises `MalformedEvidence` for anything else."""
        node = Node.parse(text, "TCB info")
        if node.number("version") != 3 or node.number("tcbType") != 0:
            raise MalformedEvidence("not version 3 with TCBs of type 0", where="TCB info")
        levels = tuple(map(TcbLevel.read, node.children("tcbLevels")))
        tdx = 16 if node.text("id") == "TDX" else 0
        if any((len(level.sgx), len(level.tdx)) != (16, tdx) for level in levels):
            raise MalformedEvidence("a level that has not 16 components", where="TCB info")
        module = ModuleIdentity.read(node.child("tdxModule"), id_="TDX_00") if tdx else None
        modules = node.children("tdxModuleIdentities", missing=True)
        return cls(
            id=node.text("id"),
            issued=node.instant("issueDate"),
            until=node.instant("nextUpdate"),
            fmspc=node.hex("fmspc", 6),
            pce_id=node.hex("pceId", 2),
            evaluation=node.number("tcbEvaluationDataNumber"),
            levels=levels,
            module=module,
            modules=tuple(ModuleIdentity.read(one, id_=one.text("id")) for one in modules),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class QeIdentity:
    """Which enclave is Intel's quoting enclave, and the status of its versions."""

    id: str
    issued: datetime
    until: datetime
    evaluation: int
    misc_select: Masked
    attributes: Masked
    signer: bytes
    product: int
    levels: tuple[Level, ...] = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read version 2; raises `MalformedEvidence` for anything else."""
        node = Node.parse(text, "QE identity")
        if node.number("version") != 2:
            raise MalformedEvidence("not version 2", where="QE identity")
        # the document shows the number MISCSELECT most significant byte first, a report the least
        masks = [node.hex(name, 4)[::-1] for name in ("miscselect", "miscselectMask")]
        return cls(
            id=node.text("id"),
            issued=node.instant("issueDate"),
            until=node.instant("nextUpdate"),
            evaluation=node.number("tcbEvaluationDataNumber"),
            misc_select=Masked(value=masks[0], mask=masks[1]),
            attributes=Masked(value=node.hex("attributes", 16), mask=node.hex("attributesMask", 16)),
            signer=node.hex("mrsigner", 32),
            product=node.number("isvprodid"),
            levels=tuple(map(Level.read, node.children("tcbLevels"))),
        )
