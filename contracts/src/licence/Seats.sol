// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ICompiledLicence} from "contracts/interfaces/ICompiledLicence.sol";

/// @title Which nodes may sit on a compiled licence's seats, by what the attestation log says of them.
/// @dev The seats themselves are kept by the release log, which asks how many there are.
abstract contract Seats {
    /// @dev Why a live record does not seat its node at `when`: `asOf` and `gap` are the record's, `every` is in seconds;
    /// `suited` and `placed` say whether the node's hardware and place are among those asked for.
    function _unfit(uint40 asOf, uint16 gap, uint40 when, uint32 every, bool removes, bool suited, bool placed)
        internal
        pure
        returns (ICompiledLicence.Refusal)
    {
        if (asOf > when) return ICompiledLicence.Refusal.NoRecord;
        if (when - asOf >= every) return ICompiledLicence.Refusal.Stale;
        if (removes && uint256(gap) * 1 minutes >= every) return ICompiledLicence.Refusal.Removed;
        if (!suited) return ICompiledLicence.Refusal.Hardware;
        return placed ? ICompiledLicence.Refusal.None : ICompiledLicence.Refusal.Place;
    }
}
