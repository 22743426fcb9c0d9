// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ICompiledLicence} from "contracts/interfaces/ICompiledLicence.sol";

/// @title Answers bought ahead, debited before they are given, credited back when they were not.
/// @dev What was bought is what is left and what was spent, in every order of calls; that is proved.
abstract contract Meter {
    uint64 internal _left;
    uint64 internal _spent;

    function _buy(uint64 answers) internal {
        require(answers != 0, ICompiledLicence.NoPacks());
        _left += answers;
    }

    function _use(uint64 amount) internal {
        require(amount <= _left, ICompiledLicence.CreditExhausted(_left, amount));
        _left -= amount;
        _spent += amount;
    }

    function _giveBack(uint64 amount) internal {
        require(amount <= _spent, ICompiledLicence.CreditBeyondSpent(_spent, amount));
        _spent -= amount;
        _left += amount;
    }
}
