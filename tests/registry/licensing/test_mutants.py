# SPDX-License-Identifier: Apache-2.0
"""A generated contract that is wrong in one way is told from the right one, and the page that says how says the truth."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.ids import Address
from contracts.solc import compile_sources, virtual_sources
from registry.licensing.model import Licence
from tests.fakes.contract_mutants import ATTACKER, CONTRACT_MUTANTS, ContractMutant, bases, sources
from tests.fakes.grounds import Ground, Question, ground
from tests.fakes.lives import Life
from tests.fakes.made import together
from tests.fakes.probing import Disagreed
from tests.fakes.walking import Walk, permitted, walk

pytestmark = [pytest.mark.anvil, pytest.mark.forge, pytest.mark.slow]
_ROOT = Path(__file__).resolve().parents[3]
_PAGE = _ROOT / "docs" / "assurance-licences.md"
_WALKED = tuple(mutant for mutant in CONTRACT_MUTANTS if mutant.killer != ATTACKER)
_UNLOCKED = next(mutant for mutant in CONTRACT_MUTANTS if mutant.killer == ATTACKER)


@pytest.fixture(scope="module")
def field() -> Iterator[Ground]:
    with ground() as made:
        yield made


@pytest.fixture(scope="module")
def licences(field: Ground) -> dict[bool, Licence]:
    return bases(field)


@pytest.fixture(scope="module")
def codes(licences: dict[bool, Licence]) -> dict[str, bytes]:
    """The code of every mutant, and under "" that of the licence they come from."""
    right = {removes: sources(licence) for removes, licence in licences.items()}
    wrong = [mutant.of(right[mutant.removes]) for mutant in CONTRACT_MUTANTS]
    named = ["", *(mutant.name for mutant in CONTRACT_MUTANTS)]
    everything = [right[False], *wrong]
    made = [
        code for first in range(0, len(everything), 10) for code in together(everything[first : first + 10])
    ]
    return dict(zip(named, made, strict=True))


@pytest.mark.parametrize("mutant", _WALKED, ids=lambda mutant: mutant.name)
def test_case_24_mutant_is_killed(
    mutant: ContractMutant, field: Ground, licences: dict[bool, Licence], codes: dict[str, bytes]
) -> None:
    with pytest.raises(Disagreed) as raised:
        walk(field, licences[mutant.removes], codes[mutant.name])
    assert raised.value.by == mutant.killer, raised.value


def test_case_24_what_is_mutated_is_itself_in_order(
    field: Ground, licences: dict[bool, Licence], codes: dict[str, bytes]
) -> None:
    assert not walk(field, licences[False], codes[""]).left_out


@pytest.mark.parametrize("name", ["", _UNLOCKED.name])
def test_case_24_contract_that_calls_back_finds_the_licence_locked(
    name: str, field: Ground, licences: dict[bool, Licence], codes: dict[str, bytes]
) -> None:
    before = field.chain.snapshot()
    try:
        found = _attacked(field, licences[False], codes[name])
    finally:
        field.chain.revert(before)
    unlocked = name == _UNLOCKED.name
    assert found == {"called": True, "permitted": unlocked, "suspended": unlocked}


def test_page_names_every_mutant_and_its_killer() -> None:
    rows = [line.split("|")[1:3] for line in _PAGE.read_text("utf-8").splitlines() if line.startswith("| ")]
    told = [(name.strip(), killer.strip()) for name, killer in rows[1:]]
    assert told == [(mutant.name, mutant.killer) for mutant in CONTRACT_MUTANTS]


def _attacked(field: Ground, licence: Licence, code: bytes) -> dict[str, bool]:
    """What a licensor that is a contract got done while it was being paid."""
    life = Life(field, licence, code)
    permitted(Walk(life))
    attacker = _deployed(field, life)
    field.tick()
    field.scene.models.offer(field.owner, field.model, attacker)
    for signature, args in (("take(address)", bytes(field.chain.book.models)), ("attack()", b"")):
        field.tick()
        field.chain.send(
            field.stranger, attacker, _selector(signature) + (args.rjust(32, b"\0") if args else b"")
        )
    asked = [Question(sender=attacker, to=attacker, data=_selector(f"{name}()")) for name in _FOUND]
    answers = field.ask(asked, field.now)
    return {name: bool(answer and any(answer)) for name, answer in zip(_FOUND, answers, strict=True)}


_FOUND = ("called", "permitted", "suspended")


def _deployed(field: Ground, life: Life) -> Address:
    """The attacker, who knows the licence, the model and the node it asks for."""
    name = "Reentering"
    text = (_ROOT / "tests" / "contracts" / f"{name}.sol").read_text("utf-8")
    evm = compile_sources({**virtual_sources(), f"tests/{name}.sol": text})[name]["evm"]
    assert isinstance(evm, dict)
    words = (bytes(life.address).rjust(32, b"\0"), field.model, life.guests[1].node)
    field.tick()
    code = bytes.fromhex(evm["bytecode"]["object"]) + b"".join(map(bytes, words))
    return field.chain.create(field.stranger, code, "ICompiledLicence")[0]


def _selector(signature: str) -> bytes:
    from contracts.digests import keccak

    return bytes(keccak(signature.encode()))[:4]
