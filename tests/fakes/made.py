# SPDX-License-Identifier: Apache-2.0
"""The code of many licences from few runs of the compiler, whose start takes longer than any licence does."""

from collections.abc import Mapping, Sequence

from contracts.solc import compiled, find
from registry.licensing.building import UNIT, printed, units
from registry.licensing.model import Licence

_AT_ONCE = 10


def creations(licences: Sequence[Licence]) -> list[bytes]:
    """The creation code of each licence's contract; any error or warning of the compiler fails."""
    made: list[bytes] = []
    for first in range(0, len(licences), _AT_ONCE):
        some = licences[first : first + _AT_ONCE]
        made += together([units(printed(licence)[1]) for licence in some], clean=True)
    return made


def together(sources: Sequence[Mapping[str, str]], *, clean: bool = False) -> list[bytes]:
    """The creation code of several licences' sources, each with its own kernels; `clean` allows no warning."""
    named: dict[str, str] = {}
    for number, own in enumerate(sources):
        named |= {_apart(name, number): _imports(text, number) for name, text in own.items()}
    output = compiled(named, compiler=find(online=False))
    spoken = [one.told for one in output.complaints if clean or one.severity == "error"]
    assert not spoken, spoken[0]
    return [_creation(output.made(_apart(UNIT, number))["Licence"]) for number in range(len(sources))]


def _apart(name: str, number: int) -> str:
    return name.replace("contracts/licence/", f"contracts/licence{number}/")


def _imports(text: str, number: int) -> str:
    return text.replace('"contracts/licence/', f'"contracts/licence{number}/')


def _creation(contract: Mapping[str, object]) -> bytes:
    evm = contract["evm"]
    assert isinstance(evm, dict)
    return bytes.fromhex(evm["bytecode"]["object"])
