// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Meter} from "contracts/licence/Meter.sol";

/// @title What the meter of a compiled licence promises in every order of calls: proved when a licence is built, never deployed.
contract MeterProof is Meter {
    uint256 private _bought;
    uint256 private _used;
    uint256 private _returned;

    /// @notice Buy any number of answers.
    function buy(uint64 answers) external {
        _buy(answers);
        _bought += answers;
    }

    /// @notice Debit any number of answers.
    function use(uint64 amount) external {
        _use(amount);
        _used += amount;
    }

    /// @notice Credit any number of answers back.
    function giveBack(uint64 amount) external {
        _giveBack(amount);
        _returned += amount;
    }

    /// @notice What was bought is what is left and what was spent; no more is used than was bought, or comes back than was used.
    function check() external view {
        assert(_bought == uint256(_left) + _spent);
        assert(_used == uint256(_spent) + _returned);
        assert(_returned <= _used);
        assert(_used - _returned <= _bought);
    }
}
