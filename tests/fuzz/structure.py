# SPDX-License-Identifier: Apache-2.0
"""Well-signed tokens whose CBOR was changed item by item: what bytes changed one by one seldom get to be.

The fuzzer's bytes are decisions: which part to change, and into what.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime

import cbor2

from contracts.errors import ExequaturError
from enclave.evidence.enclosed import Enclosed
from enclave.evidence.kinds import Kind
from enclave.evidence.technologies import TECHNOLOGIES
from enclave.evidence.trust import Trust
from tests.fakes.arm import FakeRealm, psa_claims, sign1, spki
from tests.fakes.authorities import new_key
from tests.fakes.evidence import NOON
from tests.fakes.nitro import FakeEnclave, FakeNitroTpm

_ODD: tuple[object, ...] = (
    *(1 << 40_000, -(1 << 40_000), 1 << 63, -1, 0, 1.5, float("nan"), None, True, cbor2.undefined),
    *(b"", "", "\0" * 300, [], {}, [[[[]]]], cbor2.CBORSimpleValue(99), cbor2.CBORTag(1, 1e18)),
    *(cbor2.CBORTag(4, [9, 1 << 20_000]), cbor2.CBORTag(5, [99_999, 3]), cbor2.CBORTag(30, [1 << 20_000, 3])),
    *(cbor2.CBORTag(35, "a(b"), cbor2.CBORTag(36, ""), cbor2.CBORTag(37, bytes(16)), cbor2.CBORTag(100, 5)),
    *(cbor2.CBORTag(258, [1, 2]), cbor2.CBORTag(260, bytes(4)), cbor2.CBORTag(999, b"x")),
)
_CCA = b"\xd9\x01\x8f"


class Decisions:
    """The fuzzer's bytes, one after the other; zero once they are used up."""

    def __init__(self, raw: bytes) -> None:
        self._left: Iterator[int] = iter(raw)

    def below(self, limit: int) -> int:
        """A number below `limit`."""
        return next(self._left, 0) % limit


def changed(value: object, decisions: Decisions, depth: int = 0) -> object:
    """A value with one part of it put in another's place, left out, added, cut or replaced by something odd."""
    what = decisions.below(8)
    if what == 0 or depth > 8:
        return _ODD[decisions.below(len(_ODD))]
    if isinstance(value, dict) and value:
        return _map(value, what, decisions, depth)
    if isinstance(value, list | tuple) and value:
        at = decisions.below(len(value))
        return [changed(one, decisions, depth + 1) if at == n else one for n, one in enumerate(value)]
    if isinstance(value, bytes | str) and value:
        return value[: decisions.below(len(value))] if what < 5 else value + value[:1]
    return _ODD[decisions.below(len(_ODD))]


def _map(value: dict[object, object], what: int, decisions: Decisions, depth: int) -> object:
    names = list(value)
    name = names[decisions.below(len(names))]
    if what == 1:
        return {other: part for other, part in value.items() if other != name}
    if what == 2:
        odd = _ODD[decisions.below(len(_ODD))]
        return value if isinstance(odd, list | dict) else {**value, odd: value[name]}
    return {**value, name: changed(value[name], decisions, depth + 1)}


def readers() -> Iterator[tuple[Kind, Callable[[bytes], None]]]:
    """For each token a function of the fuzzer's bytes that signs a changed one and has it verified."""
    key, realm, enclave, tpm = new_key("P-256"), FakeRealm(), FakeEnclave(), FakeNitroTpm().enclave
    platform, owned = (cbor2.loads(cbor2.loads(token[1:])[2]) for token in realm.tokens())

    def cca(decisions: Decisions) -> bytes:
        first, second = changed(platform, decisions), changed(owned, decisions)
        inner = {44234: sign1(first, realm.cpak), 44241: sign1(second, realm.rak)}
        return _CCA + cbor2.dumps(changed(inner, decisions) if decisions.below(4) == 1 else inner)

    def virtcca(decisions: Decisions) -> bytes:
        message = cbor2.loads(sign1(changed(owned, decisions), key, tag=False))
        part = changed(message, decisions) if decisions.below(4) == 1 else message
        return _CCA + cbor2.dumps({44241: cbor2.CBORTag(18, part)})

    makers: dict[Kind, tuple[Callable[[Decisions], bytes], bytes]] = {
        Kind.PSA: (lambda d: sign1(changed(psa_claims(), d), key), spki(key)),
        Kind.CCA: (cca, spki(realm.cpak)),
        Kind.VIRTCCA: (virtcca, spki(key)),
        Kind.NITRO: (lambda d: sign1(changed(enclave.payload(), d), enclave.leaf.key, tag=False), b""),
        Kind.NITRO_TPM: (lambda d: sign1(changed(tpm.payload(), d), tpm.leaf.key, tag=False), b""),
    }
    for kind, (make, piece) in makers.items():
        yield kind, _reader(kind, make, (piece,) if piece else (), enclave.trust)


def _reader(
    kind: Kind,
    make: Callable[[Decisions], bytes],
    pieces: tuple[bytes, ...],
    trust: Trust,
    at: datetime = NOON,
) -> Callable[[bytes], None]:
    def run(raw: bytes) -> None:
        try:
            token = make(Decisions(raw))
        except (TypeError, ValueError, RuntimeError, OverflowError, cbor2.CBOREncodeError):
            return  # what no encoder writes
        body = Enclosed(evidence=token, pieces=pieces).encode()
        with suppress(ExequaturError):
            TECHNOLOGIES[kind].show(body)
        with suppress(ExequaturError):
            TECHNOLOGIES[kind].verify(body, 0, node=None, trust=trust, at=at)

    return run
