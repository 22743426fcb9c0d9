# SPDX-License-Identifier: Apache-2.0
"""Everything this package raises.

EnclaveError
└── MalformedStatement         a grant, receipt, stop or usage that does not decode
"""

from contracts.errors import ExequaturError, ExitCode


class EnclaveError(ExequaturError):
    """Root of this package's errors."""


class MalformedStatement(EnclaveError):
    """A grant, receipt, stop or usage that does not decode."""

    code = ExitCode.MALFORMED
