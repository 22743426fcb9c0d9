// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @title Calls to licence contracts that can neither eat the caller's gas nor flood its memory.
/// @dev Assembly because Solidity copies all return data; docs/adr/0001-bounded-calls.md gives the attack.
library BoundedCall {
    /// @notice The call could not be given its whole stipend, so that its failure would mean nothing.
    /// @param available Gas that could be given.
    /// @param needed Stipend of the call.
    error StipendTooSmall(uint256 available, uint256 needed);

    /// @notice Read at most two words with at most `stipend` gas.
    /// @param words How many words are expected, one or two.
    /// @return ok False when the call failed or returned fewer; both words are zero then.
    function read(address target, uint256 stipend, uint256 words, bytes memory data)
        internal
        view
        returns (bool ok, uint256 first, uint256 second)
    {
        _require(stipend);
        assembly ("memory-safe") {
            mstore(0x00, 0)
            mstore(0x20, 0)
            ok := staticcall(stipend, target, add(data, 0x20), mload(data), 0x00, 0x40)
            ok := and(ok, iszero(lt(returndatasize(), mul(words, 0x20))))
            if ok {
                first := mload(0x00)
                second := mload(0x20)
            }
        }
    }

    /// @notice Call with at most `stipend` gas, copying nothing back.
    function write(address target, uint256 stipend, bytes memory data) internal returns (bool ok) {
        _require(stipend);
        assembly ("memory-safe") {
            ok := call(stipend, target, 0, add(data, 0x20), mload(data), 0, 0)
        }
    }

    function _require(uint256 stipend) private view {
        uint256 available = gasleft() * 63 / 64;
        if (available <= stipend) revert StipendTooSmall(available, stipend);
    }
}
