# SPDX-License-Identifier: Apache-2.0
"""A node whose finality lags behind its head, or that goes away: what the embedded chain never does by itself."""

from dataclasses import dataclass

from registry.chain.chain import Chain
from registry.chain.dev import DevChain
from registry.chain.transport import Json, Transport
from registry.errors import ChainUnavailable

_DEEP = ("safe", "finalized")


@dataclass(slots=True)
class Lagging:
    """Calls a block safe and final only `lag` blocks later, and fails at the request that `fails_at` counts down to."""

    inner: Transport
    lag: int = 0
    fails_at: int = 0
    asked: int = 0
    target: str = "lagging"

    def request(self, method: str, *params: Json) -> Json:
        """Ask, with the lag."""
        self.asked += 1
        if self.asked == self.fails_at:
            raise ChainUnavailable("away", where=self.target)
        if method == "eth_getBlockByNumber" and params[0] in _DEEP:
            head = self.inner.request(method, "latest", False)
            assert isinstance(head, dict)
            number = max(0, int(str(head["number"]), 16) - self.lag)
            return self.inner.request(method, hex(number), *params[1:])
        return self.inner.request(method, *params)

    def close(self) -> None:
        """Nothing: the chain is somebody else's."""


def lagging(chain: DevChain, *, lag: int = 0) -> tuple[Chain, Lagging]:
    """The same chain through such a node."""
    transport = Lagging(chain.transport, lag)
    seen = Chain(transport, chain.chain_id, chain.book)
    seen.embedded = chain.embedded
    return seen, transport
