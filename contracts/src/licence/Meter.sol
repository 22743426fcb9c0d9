// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @title Answers left under a licence: debited ahead of use, credited back when unused.
abstract contract Meter {
    /// @notice Answers were debited or credited.
    /// @param remaining Answers left.
    event Metered(uint64 remaining);

    /// @notice Only the release log may do this.
    /// @param caller Account that tried.
    error NotReleaseLog(address caller);

    /// @notice The licence has fewer answers left than asked for.
    /// @param remaining Answers left.
    /// @param asked Answers asked for.
    error CreditExhausted(uint64 remaining, uint64 asked);

    address public immutable RELEASES;

    uint64 public remaining;

    constructor(address releases, uint64 answers) {
        RELEASES = releases;
        remaining = answers;
    }

    function _use(uint64 amount) internal {
        _requireReleaseLog();
        if (amount > remaining) revert CreditExhausted(remaining, amount);
        remaining -= amount;
        emit Metered(remaining);
    }

    function _credit(uint64 amount) internal {
        _requireReleaseLog();
        remaining += amount;
        emit Metered(remaining);
    }

    function _requireReleaseLog() private view {
        if (msg.sender != RELEASES) revert NotReleaseLog(msg.sender);
    }
}
