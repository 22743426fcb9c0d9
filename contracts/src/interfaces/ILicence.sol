// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @title What every licence contract answers, hand-written or generated.
/// @notice Step 3 of the protocol. Views are called with bounded gas; a failed view counts as a refusal.
interface ILicence {
    /// @notice Whether the licence lets this node run this version at `when`; the second value is the licence's own reason.
    function permits(bytes32 modelId, uint32 version, bytes32 nodeId, uint40 when) external view returns (bool, uint8);

    /// @notice How many nodes may run at once.
    function seats() external view returns (uint16);

    /// @notice Digest of the licence text.
    function text() external view returns (bytes32);

    /// @notice Debit answers ahead of their use; the release log only; reverts when the credit does not suffice.
    function use(uint64 amount) external;

    /// @notice Give unused answers back; the release log only.
    function credit(uint64 amount) external;
}
