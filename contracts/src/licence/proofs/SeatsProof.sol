// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ICompiledLicence} from "contracts/interfaces/ICompiledLicence.sol";
import {Seats} from "contracts/licence/Seats.sol";

/// @title What the seats of a compiled licence promise of the nodes on them: proved when a licence is built, never deployed.
contract SeatsProof is Seats {
    /// @notice Whatever the record and the terms, a node sits only if everything holds, and is refused only for what does not.
    function check(uint40 asOf, uint16 gap, uint40 when, uint32 every, bool removes, bool suited, bool placed) external pure {
        bool known = asOf <= when;
        bool fresh = uint256(when) < uint256(asOf) + every;
        bool removed = removes && uint256(gap) * 60 >= every;
        ICompiledLicence.Refusal refusal = _unfit(asOf, gap, when, every, removes, suited, placed);

        assert((refusal == ICompiledLicence.Refusal.None) == (known && fresh && !removed && suited && placed));
        assert(refusal != ICompiledLicence.Refusal.NoRecord || !known);
        assert(refusal != ICompiledLicence.Refusal.Stale || !fresh);
        assert(refusal != ICompiledLicence.Refusal.Removed || removed);
        assert(refusal != ICompiledLicence.Refusal.Hardware || !suited);
        assert(refusal != ICompiledLicence.Refusal.Place || !placed);
    }
}
