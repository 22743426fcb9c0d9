# SPDX-License-Identifier: Apache-2.0
"""Nodes that misbehave, in front of one that does not."""

from collections.abc import Callable

from registry.chain.transport import Json, Transport
from registry.chain.view import Block
from registry.errors import ChainUnavailable


class Flaky:
    """A transport that fails once, at a method of choice: before the node hears of it, or after."""

    def __init__(self, inner: Transport, method: str, *, after: bool) -> None:
        self.inner, self.method, self.after, self.target = inner, method, after, inner.target
        self.failed = False

    def request(self, method: str, *params: Json) -> Json:
        if method != self.method or self.failed:
            return self.inner.request(method, *params)
        self.failed = True
        if self.after:
            self.inner.request(method, *params)
        raise ChainUnavailable("gone", where=self.target)

    def close(self) -> None:
        pass


class Changed:
    """A transport that answers one method differently."""

    def __init__(self, inner: Transport, method: str, answer: Callable[[Json], Json]) -> None:
        self.inner, self.method, self.answer, self.target = inner, method, answer, inner.target

    def request(self, method: str, *params: Json) -> Json:
        said = self.inner.request(method, *params)
        return self.answer(said) if method == self.method else said

    def close(self) -> None:
        pass


class Stuck:
    """A node whose finality does not move."""

    def __init__(self, inner: Transport, final: Block) -> None:
        self.inner, self.final, self.target = inner, final, inner.target

    def request(self, method: str, *params: Json) -> Json:
        if method == "eth_getBlockByNumber" and params[0] == "finalized":
            return self.inner.request(method, hex(self.final.number), False)
        return self.inner.request(method, *params)

    def close(self) -> None:
        pass


class Repeating:
    """A node that gets every transaction twice, as over a connection that broke before the answer."""

    def __init__(self, inner: Transport) -> None:
        self.inner, self.target = inner, inner.target

    def request(self, method: str, *params: Json) -> Json:
        if method == "eth_sendRawTransaction":
            self.inner.request(method, *params)
        return self.inner.request(method, *params)

    def close(self) -> None:
        pass
