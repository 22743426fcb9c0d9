# SPDX-License-Identifier: Apache-2.0
"""The vault's process: reads requests from the host, asks the vault, answers (SPEC.md, section 2).

Whatever is refused is answered by an error and changes nothing. `enclave.guest.boot` starts it.
"""

import os
import select
import socket
import sys
import threading
import time

from contracts.digests import Cbor
from contracts.errors import ExequaturError
from contracts.ids import Digest
from enclave.evidence.binding import Challenge, GuestClaims
from enclave.faults import Disconnected, GuestFault, MalformedMessage, UnknownMessage
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
_GRACE = 2.0
_STREAMED = ("present", "open", "infer")


class Server:
    """Turns messages into calls of the vault, and what it returns or raises into answers."""

    def __init__(self, link: socket.socket, quoter: Channel, vault: Vault, claims: GuestClaims) -> None:
        self._link, self._host = link, Channel(link)
        self._quoter, self._vault, self._claims = quoter, vault, claims
        self._quoter.request("node", bytes(vault.node_id))

    def serve(self) -> None:
        """Answer until the host asks for the end or goes away; a lease ends on time also when nobody speaks."""
        while True:
            select.select([self._link], [], [], self._vault.stop_in_time())
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
        except Exception as error:  # noqa: BLE001 - its text may hold content, so only its type leaves
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
                preamble = Preamble.parse(_whole(stream, length, _LONGEST_PREAMBLE))
                return bytes(self._vault.present(preamble, Digest(root))), None
            case "grant", [bytes(grant), bytes(signature), certificate, (bytes() | None) as envelope]:
                return list(self._vault.grant(_leave(grant, signature, certificate), envelope)), None
            case "open", [int(length)]:
                self._vault.open(stream, length)
                return None, None
        return self._work(kind, body, stream)

    def _work(self, kind: str, body: Cbor, stream: Incoming) -> tuple[Cbor, bytes | None]:
        match kind, body:
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
        place: list[Cbor] = [challenge.chain_id, bytes(challenge.log), bytes(challenge.policy_id)]
        block: list[Cbor] = [challenge.block_number, bytes(challenge.block_hash)]
        nonce = bytes(challenge.lease_nonce)
        try:
            answer = self._quoter.request("quote", [*place, nonce, *block, claims])
            devices, total = _listed(answer.body)
            evidence = _whole(self._quoter.incoming(total), total, _LONGEST_EVIDENCE)
        except Disconnected as error:  # the host's connection is another one, and lives
            raise GuestFault("the quoter is gone", where="attest", hint="start another guest") from error
        return [challenge.encode(), claims, devices, total], evidence


def _listed(body: Cbor) -> tuple[Cbor, int]:
    if isinstance(body, list) and len(body) == 2 and type(body[1]) is int:
        return body[0], body[1]
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


def _watch(vault: Vault) -> None:
    """End the process when a host keeps it waiting, half-way through a message, past the end of its lease."""
    while not vault.overdue(_GRACE):
        time.sleep(0.5)
    os._exit(0)


def main(arguments: list[str]) -> None:
    """Lock down, make keys, and answer until the end; the process ends here."""
    host, quoter = (socket.socket(fileno=int(argument)) for argument in arguments)
    claims = GuestClaims(lockdown=lock_down(), clock="host", image=IMAGE)
    vault = Vault(Keys(), _boottime)
    threading.Thread(target=_watch, args=(vault,), daemon=True).start()
    try:
        Server(host, Channel(quoter), vault, claims).serve()
    except Disconnected:
        vault.zeroise()
    os._exit(0)  # no finaliser runs over what the vault held


if __name__ == "__main__":
    main(sys.argv[1:])
