// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IAttestationLog} from "contracts/interfaces/IAttestationLog.sol";
import {ICompiledLicence} from "contracts/interfaces/ICompiledLicence.sol";

/// @title Which nodes may sit on a compiled licence's seats, by what the attestation log says of them.
/// @dev The seats themselves are kept by the release log, which asks how many there are.
abstract contract Seats {
    /// @dev Whether a node may stand at a place (ISO 3166 numeric); zero is what nobody vouched for.
    function _isAllowed(uint16 place) internal pure virtual returns (bool);

    /// @dev Why a record does not seat its node at `when`; `every` in seconds, `wanted` a bitmap of technologies or zero for any.
    function _unfit(IAttestationLog.Record memory record, uint40 when, uint32 every, bool removes, uint32 wanted)
        internal
        pure
        returns (ICompiledLicence.Refusal)
    {
        if (record.recordedAt == 0 || record.asOf > when) return ICompiledLicence.Refusal.NoRecord;
        if (when - record.asOf >= every) return ICompiledLicence.Refusal.Stale;
        if (removes && uint256(record.gap) * 1 minutes >= every) return ICompiledLicence.Refusal.Removed;
        if (wanted != 0 && record.kinds & wanted == 0) return ICompiledLicence.Refusal.Hardware;
        return _isAllowed(record.place) ? ICompiledLicence.Refusal.None : ICompiledLicence.Refusal.Place;
    }
}
