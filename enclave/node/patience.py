# SPDX-License-Identifier: Apache-2.0
"""How a host tries again: soon while a guest holds a key, less and less often before, never where it is of no use."""

import logging
from typing import Protocol

from contracts.errors import ExequaturError
from contracts.ids import NodeId
from enclave.node.errors import RefusedForEver
from enclave.node.life import Phase

_LOG = logging.getLogger("exequatur.node")
_KEYLESS = frozenset({Phase.BOOT, Phase.ATTEST, Phase.REQUEST})
_LONGEST = 60.0  # seconds: what a licensee waits at most once a suspension is taken back
_DOUBLINGS = 10


class Host(Protocol):
    """A state machine that takes steps."""

    phase: Phase

    @property
    def node_id(self) -> NodeId | None:
        """Identity of the guest that runs now."""

    def step(self) -> bool:
        """Do the next thing, if there is one."""


class Ends(Protocol):
    """Whoever knows which refusals are final."""

    def found(self, node: NodeId | None) -> RefusedForEver | None:
        """Why waiting changes nothing; None while it may."""


class Patience:
    """Takes a host's steps, and counts those that failed one after another."""

    def __init__(self, host: Host, ends: Ends, pause: float) -> None:
        self._host = host
        self._ends = ends
        self._pause = pause
        self._failed = 0

    def step(self) -> bool:
        """Whether the host moved; a failure is logged, and raised as `RefusedForEver` where it is final."""
        try:
            moved = self._host.step()
        except ExequaturError as error:
            self._failed += 1
            if refused := self._final():
                raise refused from error
            hint = f" ({error.hint})" if error.hint else ""
            text = "%s failed, to be tried again in %g s: %s%s"
            _LOG.warning(text, self._host.phase.value, self.pause(), error, hint)
            return False
        self._failed = 0
        return moved

    def pause(self) -> float:
        """Seconds until the next step: doubled with each failure while no key can be lost by waiting."""
        if self._host.phase not in _KEYLESS or not self._failed:
            return self._pause
        return min(self._pause * 2.0 ** min(self._failed - 1, _DOUBLINGS), max(self._pause, _LONGEST))

    def _final(self) -> RefusedForEver | None:
        if self._host.phase not in _KEYLESS:
            return None
        try:
            return self._ends.found(self._host.node_id)
        except ExequaturError:
            return None  # the chain cannot say now
