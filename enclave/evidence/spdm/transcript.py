# SPDX-License-Identifier: Apache-2.0
"""A whole conversation with an SPDM device, and which of its messages each signature covers (SPEC.md, section 2)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import cbor2

from enclave.errors import MalformedEvidence
from enclave.evidence.spdm.chain import Slots
from enclave.evidence.spdm.measurements import Measurements
from enclave.evidence.spdm.negotiation import MESSAGES, Negotiated
from enclave.evidence.spdm.wire import (
    CHALLENGE,
    CONTEXT,
    ERROR,
    GET_CERTIFICATE,
    GET_DIGESTS,
    GET_MEASUREMENTS,
    NONCE,
    VERSION_13,
    Reader,
)

MOST_MESSAGES = 2048
_MOST_EXTENDED = 32
_SUMMARIES = frozenset({0, 1, 0xFF})
_SLOT = 0xF


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """CHALLENGE and CHALLENGE_AUTH, with the transcript that the signature is over."""

    nonce: bytes
    asked_slot: int
    slot: int
    chain_hash: bytes
    summary: bytes
    opaque: bytes
    transcript: bytes = field(repr=False)
    signature: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Exchanges of measurements that the signature at the end of the last covers, with that signature's transcript."""

    exchanges: tuple[Measurements, ...]
    transcript: bytes = field(repr=False)

    @property
    def last(self) -> Measurements:
        """The one that is signed."""
        return self.exchanges[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """A conversation that is well formed, and not yet believed; `exchanges` are all of measurements, signed or not."""

    count: int
    agreed: Negotiated
    digests: tuple[Mapping[int, bytes], ...]
    chains: Mapping[int, bytes] = field(repr=False)
    challenges: tuple[Challenge, ...]
    exchanges: tuple[Measurements, ...]
    runs: tuple[Run, ...]

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read the CBOR array of messages, requests and responses in turn; raises `MalformedEvidence`."""
        messages = _messages(raw)
        walk = _Walk(Negotiated.parse(messages))
        for at in range(MESSAGES, len(messages), 2):
            walk.step(messages[at], messages[at + 1])
        return cls(
            count=len(messages),
            agreed=walk.agreed,
            digests=tuple(walk.slots.digests),
            chains=walk.slots.chains,
            challenges=tuple(walk.challenges),
            exchanges=tuple(walk.exchanges),
            runs=tuple(walk.runs),
        )


def encode(messages: Sequence[bytes]) -> bytes:
    """The evidence that these messages are; raises `MalformedEvidence` for more than anybody needs."""
    if len(messages) > MOST_MESSAGES:
        raise MalformedEvidence(f"more than {MOST_MESSAGES} messages", where="SPDM transcript")
    return cbor2.dumps(list(messages), canonical=True)


def _messages(raw: bytes) -> list[bytes]:
    try:
        parts = cbor2.loads(raw)
    except Exception as error:  # cbor2 raises many kinds on hostile input
        raise MalformedEvidence("not CBOR", where="SPDM transcript") from error
    messages = [part for part in parts if type(part) is bytes] if isinstance(parts, list) else []
    if len(messages) % 2 or len(messages) < MESSAGES or encode(messages) != raw:
        raise MalformedEvidence("not requests and responses in turn", where="SPDM transcript")
    return messages


class _Walk:
    """Follows a conversation as the device does, which keeps what it will sign and forgets it at certain messages."""

    def __init__(self, agreed: Negotiated) -> None:
        self.agreed = agreed
        self.slots = Slots(agreed)
        self.challenges: list[Challenge] = []
        self.exchanges: list[Measurements] = []
        self.runs: list[Run] = []
        self._for_challenge: list[bytes] = []
        self._for_measurements: list[Measurements] = []

    def step(self, request: bytes, response: bytes) -> None:
        """Read one exchange behind the first three."""
        code = request[1] if len(request) > 1 else 0
        if code not in (GET_DIGESTS, GET_CERTIFICATE, CHALLENGE, GET_MEASUREMENTS):
            raise Reader(request, "request").wrong(f"a request with code {code:#04x}")
        if code != GET_MEASUREMENTS:
            self._for_measurements = []
        if code in (GET_DIGESTS, GET_MEASUREMENTS):
            self._for_challenge = []
        if len(response) > 1 and response[1] == ERROR:
            self._fail(request, response)
        elif code == GET_MEASUREMENTS:
            self._measure(request, response)
        elif code == CHALLENGE:
            self._challenge(request, response)
        else:
            (self.slots.add_digests if code == GET_DIGESTS else self.slots.add_portion)(request, response)
            self._for_challenge += [request, response]

    def _fail(self, request: bytes, response: bytes) -> None:
        for message, code in ((request, request[1]), (response, ERROR)):
            Reader(message, "ERROR").head(self.agreed.version, code)
        if len(response) > 4 + _MOST_EXTENDED:
            raise Reader(response, "ERROR").wrong("more than an error says")
        self._for_measurements, self._for_challenge = [], []

    def _measure(self, request: bytes, response: bytes) -> None:
        exchange = Measurements.parse(request, response, self.agreed)
        self.exchanges.append(exchange)
        self._for_measurements.append(exchange)
        if exchange.signed:
            start = self.agreed.vca if self.agreed.signed else b""
            parts = (start, *(earlier.covered for earlier in self._for_measurements))
            self.runs.append(Run(exchanges=tuple(self._for_measurements), transcript=b"".join(parts)))
            self._for_measurements = []

    def _challenge(self, request: bytes, response: bytes) -> None:
        version, algorithms = self.agreed.version, self.agreed.algorithms
        context = CONTEXT if version >= VERSION_13 else 0
        asked = Reader(request, "CHALLENGE")
        slot, summary = asked.head(version, CHALLENGE)
        nonce, echoed = asked.take(NONCE), asked.take(context)
        asked.done()
        if summary not in _SUMMARIES:
            raise asked.wrong("a summary of no kind that there is")
        reader = Reader(response, "CHALLENGE_AUTH")
        answered, _ = reader.head(version, CHALLENGE & 0x7F)
        chain_hash = reader.take(algorithms.hash_size)
        reader.take(NONCE)
        summed = reader.take(algorithms.hash_size if summary else 0)
        opaque = reader.opaque()
        if reader.take(context) != echoed:
            raise reader.wrong("another requester's context")
        covered = (self.agreed.vca, *self._for_challenge, request, reader.taken)
        signature = reader.take(algorithms.signature_size)
        reader.done()
        self._for_challenge = []
        self.challenges.append(
            Challenge(
                nonce=nonce,
                asked_slot=slot & _SLOT,
                slot=answered & _SLOT,
                chain_hash=chain_hash,
                summary=summed,
                opaque=opaque,
                transcript=b"".join(covered),
                signature=signature,
            )
        )
