# SPDX-License-Identifier: Apache-2.0
"""Handle of a guest process: starts it, speaks its wire protocol, and learns nothing that the wire does not show.

The host is not trusted: whatever this module does wrong can only deny service.
"""

import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from contracts.digests import Cbor
from contracts.ids import ZERO_DIGEST, Address, Digest, PolicyId, SealId
from enclave.errors import Disconnected, GuestFault
from enclave.evidence.binding import Challenge, GuestClaims
from enclave.evidence.bundle import Bundle, Device
from enclave.sealed.files import SealedFile
from enclave.statements import BrokerKey, Grant, NodeKeys, Stopped, Usage
from enclave.wire import LONGEST_CHUNK, Channel, Message

_PYTHON = (sys.executable, "-E", "-s", "-B", "-m", "enclave.guest.boot")
_PACKAGES = Path(__file__).resolve().parents[2]
_PATIENCE = 300.0  # opening several gigabytes takes minutes on a small machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where and when evidence is asked for: a policy on a chain, and a recent block."""

    chain_id: int
    log: Address
    policy_id: PolicyId
    block_number: int
    block_hash: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer of the model with its receipt (COSE_Sign1) and the salts that link the two."""

    response: bytes
    receipt: bytes
    request_salt: bytes
    response_salt: bytes


class Guest:
    """A running guest. Every call may raise what the guest refuses with, or `Disconnected` when it is gone."""

    def __init__(self, process: "subprocess.Popen[bytes]", channel: Channel, link: socket.socket) -> None:
        self._process = process
        self._channel = channel
        self._link = link
        self._lock = threading.Lock()  # users ask from other threads than the one that renews
        self.keys = NodeKeys.decode(_bytes(channel.request("keys").body))
        self.node_id = self.keys.node_id()

    @classmethod
    def start(
        cls, attester: Sequence[str], *, patience: float = _PATIENCE, stderr: int = subprocess.DEVNULL
    ) -> "Guest":
        """Start a guest that takes evidence from `attester`: the kind of device, then its arguments."""
        ours, theirs = socket.socketpair()
        process = subprocess.Popen(
            [*_PYTHON, str(theirs.fileno()), *attester],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            cwd=_PACKAGES,
            env={"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"},
        )
        theirs.close()
        ours.settimeout(patience)
        try:
            return cls(process, Channel(ours), ours)
        except BaseException as error:
            process.kill()
            process.wait()
            ours.close()
            if isinstance(error, Disconnected):
                hint = f"check the evidence device: {' '.join(attester)}"
                raise GuestFault("the guest did not start", where="guest", hint=hint) from error
            raise

    @property
    def process_id(self) -> int:
        """The guest's process, for the operating system."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._process.poll() is None

    def attest(self, place: Place) -> Bundle:
        """Fresh evidence of this guest, bound to a recent block."""
        asked = Challenge(
            chain_id=place.chain_id,
            log=place.log,
            policy_id=place.policy_id,
            node_id=self.node_id,
            lease_nonce=ZERO_DIGEST,
            block_number=place.block_number,
            block_hash=place.block_hash,
        )
        with self._lock:
            answer = self._channel.request("attest", asked.encode())
            listed, challenge, claims = self._evidence(answer.body)
        return Bundle(
            challenge=Challenge.decode(challenge),
            keys=self.keys,
            claims=GuestClaims.decode(claims),
            devices=listed,
        )

    def _evidence(self, body: Cbor) -> tuple[tuple[Device, ...], bytes, bytes]:
        match body:
            case [bytes(challenge), bytes(claims), [*devices], int(total)]:
                bodies = self._channel.incoming(total)
                listed = tuple(_device(entry, index, bodies.read) for index, entry in enumerate(devices))
                bodies.finish()
                return listed, challenge, claims
        raise _unexpected("attest")

    def present(self, sealed: SealedFile) -> SealId:
        """Show the guest a sealed model's preamble and root, which its first grant is checked against."""
        preamble = sealed.preamble.encode()
        answer = self._ask("present", [bytes(sealed.root), len(preamble)], [preamble])
        return SealId(_bytes(answer.body))

    def grant(
        self,
        grant: Grant,
        signature: bytes,
        certificate: tuple[BrokerKey, bytes] | None = None,
        envelope: bytes | None = None,
    ) -> int:
        """Hand over a grant; returns the whole seconds that the guest will serve under it."""
        certified = None if certificate is None else [certificate[0].encode(), certificate[1]]
        answer = self._ask("grant", [grant.encode(), signature, certified, envelope])
        match answer.body:
            case [int(), int(left)]:
                return left
        raise _unexpected("grant")

    def open(self, sealed: SealedFile) -> None:
        """Send the ciphertext; the guest decrypts it into its own memory."""
        self._ask("open", [sealed.preamble.body_size], _chunks(sealed))

    def infer(self, request: bytes) -> Reply:
        """One answer to a request (`enclave.wire.encode_tensors`), with its receipt."""
        with self._lock:
            answer = self._channel.request("infer", [len(request)], [request])
            match answer.body:
                case [bytes(receipt), bytes(request_salt), bytes(response_salt), int(length)]:
                    stream = self._channel.incoming(length)
                    response = stream.read(length)
                    stream.finish()
                case _:
                    raise _unexpected("infer")
        return Reply(
            response=response, receipt=receipt, request_salt=request_salt, response_salt=response_salt
        )

    def usage(self, anchored: int) -> tuple[Usage, bytes]:
        """Everything after the last anchored counter, signed for the release log; settles after `notice`."""
        encoded, signature = self._pair("usage", anchored)
        return Usage.decode(encoded), signature

    def notice(self) -> tuple[Stopped, bytes]:
        """Tell the guest to stop at once; returns its last word, which frees the seat."""
        encoded, signature = self._pair("stop", None)
        return Stopped.decode(encoded), signature

    def close(self) -> None:
        """End the process; without a notice before, nobody ever hears how far its receipts went."""
        self._link.close()
        self._process.kill()
        self._process.wait()

    def _ask(self, kind: str, body: Cbor, stream: Iterable[bytes] | None = None) -> Message:
        with self._lock:
            return self._channel.request(kind, body, stream)

    def _pair(self, kind: str, body: Cbor) -> tuple[bytes, bytes]:
        match self._ask(kind, body).body:
            case [bytes(encoded), bytes(signature)]:
                return encoded, signature
        raise _unexpected(kind)


def _device(entry: Cbor, index: int, read: Callable[[int], bytes]) -> Device:
    match entry:
        case [str(kind), int(length)]:
            return Device(kind=kind, index=index, body=read(length))
    raise _unexpected("attest")


def _chunks(sealed: SealedFile) -> Iterator[bytes]:
    left = sealed.preamble.body_size
    with sealed.path.open("rb") as file:
        file.seek(sealed.body_offset)
        while left and (chunk := file.read(min(left, LONGEST_CHUNK))):
            left -= len(chunk)
            yield chunk


def _bytes(body: Cbor) -> bytes:
    if not isinstance(body, bytes):
        raise _unexpected("guest")
    return body


def _unexpected(kind: str) -> GuestFault:
    return GuestFault("an answer that does not parse", where=kind, hint="host and guest differ in version")
