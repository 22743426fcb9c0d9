# SPDX-License-Identifier: Apache-2.0
"""Step 3: from a licence to the code of its contract: net proved, Solidity compiled without a warning, kernels proved.

The same licence gives the same bytes wherever and whenever it is built; its names and words reach them as a digest only.
"""

import hashlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from contracts.ids import Digest
from registry.licensing.model import Licence
from registry.licensing.problems import LicenceRefused, Problem

if TYPE_CHECKING:
    from contracts.smt import Assertion
    from contracts.solc import Compiler, Output
    from registry.licensing.proof import Proof

UNIT = "contracts/licence/Licence.sol"
LARGEST = 24_576
"""Bytes of code that a chain takes at most (EIP-170)."""
_OURS = "this is a fault of the compiler, not of your text: please report it with the text"
_SLOW = "build again on a machine that is less busy; if that does not help, please report it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A licence and everything made from it.

    `text` is the canonical text and `digest` its SHA-256, which the contract states. `creation` takes the release log's address
    as the constructor's argument; `runtime` is the code at the contract's address, but for the bytes at `immutables` (start and
    length), which the constructor fills in. `kernels` are the assertions proved, none of a build that was not to prove them;
    `standard` is what the compiler was given, for whoever compiles it again.
    """

    licence: Licence
    text: str
    digest: Digest
    source: str = field(repr=False)
    abi: tuple[Mapping[str, object], ...] = field(repr=False)
    creation: bytes = field(repr=False)
    runtime: bytes = field(repr=False)
    immutables: tuple[tuple[int, int], ...]
    proof: "Proof"
    kernels: tuple["Assertion", ...]
    warnings: tuple[Problem, ...]

    @property
    def proved(self) -> bool:
        """Whether the kernels were proved and not only the net."""
        return bool(self.kernels)


def _quiet(_: str) -> None:
    """Nobody is told."""


def build(
    licence: Licence,
    *,
    prove: bool = True,
    compiler: "Compiler | None" = None,
    say: Callable[[str], None] = _quiet,
) -> Built:
    """Make and prove the contract of a licence.

    Raises `LicenceRefused` with every E4xx and E5xx, and `CompilerError` when there is no compiler or no z3 to work with. With
    `prove` False the kernels are not proved; everything else is as strict. `say` gets a line before anything is fetched.
    """
    from contracts.solc import find
    from registry.licensing.meaning import meaning
    from registry.licensing.net import net_of
    from registry.licensing.proof import prove as prove_net

    compiler = compiler or find(say=say)
    text, source = printed(licence)
    with ThreadPoolExecutor(1) as beside:
        kernels = beside.submit(_kernels, compiler) if prove else None
        net, meant = prove_net(net_of(licence)), meaning(licence).problems
        refuse((*net.problems, *meant))
        made = compiled(source, compiler)
        proved = kernels.result() if kernels else ()
    if prove:
        refuse(_unproved(proved))
    return _built(licence, text, source, made, net, proved, meant)


def printed(licence: Licence) -> tuple[str, str]:
    """The canonical text of a licence, and the Solidity made from it."""
    from registry.licensing.saying import say
    from registry.licensing.solidity import source

    text = say(licence)
    return text, source(licence, digest_of(text))


def digest_of(text: str) -> Digest:
    """SHA-256 of a canonical text: what the contract states, and its name in the store."""
    return Digest(hashlib.sha256(text.encode()).digest())


def refuse(problems: tuple[Problem, ...]) -> None:
    """Raise `LicenceRefused` if any of the problems is an error."""
    if any(one.fatal for one in problems):
        raise LicenceRefused(problems)


def compiled(source: str, compiler: "Compiler") -> Mapping[str, object]:
    """What the compiler makes of a licence's Solidity; raises `LicenceRefused` (E501) for any error or warning."""
    from contracts.solc import compiled as compile_units

    # No digest of the sources in the code: a comment changed in a later version must not make a licence look like another.
    plain = {"metadata": {"appendCBOR": False}}
    output = compile_units(units(source), compiler=compiler, only=UNIT, extra=plain)
    refuse(tuple(_complaints(output)))
    (contract,) = output.made(UNIT).values()
    return contract


def units(source: str) -> dict[str, str]:
    """A licence's Solidity and the kernels and interfaces it is made of, by the names that imports use."""
    from contracts.solc import PACKAGE, needed, virtual_sources

    ours = virtual_sources(PACKAGE / "src" / "licence", "contracts/licence")
    ours |= virtual_sources(PACKAGE / "src" / "interfaces", "contracts/interfaces")
    return needed(UNIT, {**ours, UNIT: source})


def _complaints(output: "Output") -> list[Problem]:
    return [
        Problem(code="E501", message=f"the contract does not compile cleanly: {one.message}", help=_OURS)
        for one in output.complaints
        if one.severity != "info"
    ]


def _kernels(compiler: "Compiler") -> tuple["Assertion", ...]:
    from contracts.smt import prove_kernels, solver

    return prove_kernels(compiler=compiler, with_=solver())


def _unproved(decided: tuple["Assertion", ...]) -> tuple[Problem, ...]:
    """E502 for each promise a kernel breaks, E503 for each that nobody could decide, or when there was none to decide."""
    from contracts.smt import SECONDS, Verdict

    if not decided:
        return (Problem(code="E503", message="the kernels promise nothing, which is no proof", help=_OURS),)
    said = {
        Verdict.VIOLATED: ("E502", "the contract can break what it promises", _OURS),
        Verdict.UNDECIDED: ("E503", f"not decided in {SECONDS} seconds, which is no proof", _SLOW),
    }
    return tuple(
        Problem(code=code, message=f"{what}: {one.condition} ({one.file}, line {one.line})", help=help_)
        for one in decided
        if one.verdict in said
        for code, what, help_ in [said[one.verdict]]
    )


def _built(
    licence: Licence,
    text: str,
    source: str,
    made: Mapping[str, object],
    net: "Proof",
    proved: tuple["Assertion", ...],
    warnings: tuple[Problem, ...],
) -> Built:
    evm, abi = made["evm"], made["abi"]
    assert isinstance(evm, dict)
    assert isinstance(abi, list)
    runtime = bytes.fromhex(evm["deployedBytecode"]["object"])
    if len(runtime) > LARGEST:
        what = f"the contract has {len(runtime)} bytes of code, and chains take {LARGEST}"
        refuse((Problem(code="E501", message=what, help=_OURS),))
    references = evm["deployedBytecode"].get("immutableReferences", {})
    return Built(
        licence=licence,
        text=text,
        digest=digest_of(text),
        source=source,
        abi=tuple(abi),
        creation=bytes.fromhex(evm["bytecode"]["object"]),
        runtime=runtime,
        immutables=tuple(sorted((at["start"], at["length"]) for ats in references.values() for at in ats)),
        proof=net,
        kernels=proved,
        warnings=warnings,
    )
