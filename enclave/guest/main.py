# SPDX-License-Identifier: Apache-2.0
"""The vault's process: reads requests from the host, asks the vault, answers (SPEC.md, section 2).

Whatever is refused is answered by an error and changes nothing. `enclave.guest.boot` starts it.
"""

import os
import select
import socket
import sys
import time

from contracts.digests import Cbor
from contracts.errors import ExequaturError
from contracts.ids import Digest
from enclave.errors import Disconnected, GuestFault, MalformedInput, MalformedMessage, UnknownMessage
from enclave.evidence.binding import Challenge, GuestClaims
from enclave.guest.keys import Keys
from enclave.guest.lease import Leave
from enclave.guest.sandbox import lock_down
from enclave.guest.vault import Vault
from enclave.sealed.preamble import Preamble
from enclave.statements import BrokerKey, Grant
from enclave.wire import Channel, Incoming, Message

IMAGE = "exequatur-guest/1"
_LONGEST_PREAMBLE = _LONGEST_EVIDENCE = 16 << 20
_LONGEST_REQUEST = 64 << 20
_STREAMED = ("present", "open", "infer")


class Server:
    """Turns messages into calls of the vault, and what it returns or raises into answers."""

    def __init__(self, host: Channel, quoter: Channel, vault: Vault, claims: GuestClaims) -> None:
        self._host, self._quoter, self._vault, self._claims = host, quoter, vault, claims
        self._quoter.request("node", bytes(vault.node_id))

    def serve(self) -> None:
        """Answer until the host asks for the end or goes away; a lease ends on time also when nobody speaks."""
        while True:
            select.select([self._host], [], [], self._vault.stop_in_time())
            self.step()

    def step(self) -> None:
        """Read and answer one message."""
        try:
            message = self._host.receive()
        except MalformedMessage as error:
            self._refuse(0, error)
            return
        stream = self._host.incoming(_declared(message))
        try:
            self._vault.stop_in_time()
            body, out = self._do(message.kind, message.body, stream)
        except Disconnected:
            raise
        except ExequaturError as error:
            refusal: ExequaturError = error
        except Exception as error:  # its text may hold content, so only its type leaves
            refusal = GuestFault(type(error).__name__, where=message.kind)
        else:
            self._host.send(f"{message.kind}.ok", message.id, body, None if out is None else [out])
            return
        if message.kind in _STREAMED:
            stream.drain()
        self._refuse(message.id, refusal)

    def _refuse(self, number: int, error: ExequaturError) -> None:
        body = [type(error).__name__, error.what, error.where, error.hint, list(error.reasons)]
        self._host.send("error", number, body)

    def _do(self, kind: str, body: Cbor, stream: Incoming) -> tuple[Cbor, bytes | None]:
        match kind, body:
            case "keys", None:
                return self._vault.keys.encode(), None
            case "attest", bytes(asked):
                return self._attest(Challenge.decode(asked))
            case "present", [bytes(root), int(length)]:
                preamble = Preamble.decode(_whole(stream, length, _LONGEST_PREAMBLE))
                return bytes(self._vault.present(preamble, Digest(root))), None
            case "grant", [bytes(grant), bytes(signature), certificate, (bytes() | None) as envelope]:
                return list(self._vault.grant(_leave(grant, signature, certificate), envelope)), None
            case "open", [int()]:
                self._vault.open(stream)
                stream.finish()
                return None, None
            case "infer", [int(length)]:
                response, signed = self._vault.infer(_whole(stream, length, _LONGEST_REQUEST))
                salts = signed.request_salt, signed.response_salt
                return [signed.receipt, *salts, len(response)], response
            case "usage", int(anchored):
                usage, signature = self._vault.usage(anchored)
                return [usage.encode(), signature], None
            case "stop", None:
                stopped, signature = self._vault.stop()
                return [stopped.encode(), signature], None
        raise UnknownMessage("no such request, or a body of another form", where=kind[:80])

    def _attest(self, asked: Challenge) -> tuple[Cbor, bytes]:
        challenge, claims = self._vault.challenge(asked), self._claims.encode()
        place = [challenge.chain_id, bytes(challenge.log), bytes(challenge.policy_id)]
        block = [challenge.block_number, bytes(challenge.block_hash)]
        answer = self._quoter.request("quote", [*place, bytes(challenge.lease_nonce), *block, claims])
        match answer.body:
            case [[*devices], int(total)]:
                evidence = _whole(self._quoter.incoming(total), total, _LONGEST_EVIDENCE)
                return [challenge.encode(), claims, devices, total], evidence
        raise GuestFault("the quoter's answer does not parse", where="attest")


def _declared(message: Message) -> int:
    match message.body:
        case [*_, int(length)] if message.kind in _STREAMED:
            return length
    return 0


def _whole(stream: Incoming, length: int, longest: int) -> bytes:
    if length > longest:
        raise MalformedMessage(f"{length} bytes, at most {longest}", where="stream")
    held = stream.read(length)
    stream.finish()
    return held


def _leave(grant: bytes, signature: bytes, certificate: Cbor) -> Leave:
    match certificate:
        case None:
            broker, certified = None, b""
        case [bytes(encoded), bytes(certified)]:
            broker = BrokerKey.decode(encoded)
        case _:
            raise MalformedMessage("a certificate is [BrokerKey, signature]", where="grant")
    return Leave(grant=Grant.decode(grant), signature=signature, certificate=broker, certified=certified)


def _boottime() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def main(arguments: list[str]) -> None:
    """Lock down, make keys, and answer until the end; the process ends here."""
    host, quoter = (socket.socket(fileno=int(argument)) for argument in arguments)
    claims = GuestClaims(lockdown=lock_down(), clock="host", image=IMAGE)
    vault = Vault(Keys(), _boottime)
    try:
        Server(host, Channel(quoter), vault, claims).serve()
    except Disconnected:
        vault.zeroise()
    os._exit(0)  # no finaliser runs over what the vault held


if __name__ == "__main__":
    main(sys.argv[1:])
