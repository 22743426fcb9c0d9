// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IReleaseLog} from "contracts/interfaces/IReleaseLog.sol";
import {Steps} from "./Steps.sol";

/// @title What must hold after every sequence of steps; numbers are those of the design.
contract InvariantsTest {
    Steps private _steps;

    function setUp() public {
        _steps = new Steps();
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_steps);
    }

    /// it is released by the broker alone, under a policy that the version names
    function invariant_S1_onlyTheBrokerReleasesUnderANamedPolicy() public view {
        require(_steps.byThief() == 0, "a thief released");
        require(_steps.unnamedPolicy() == 0, "released under another policy");
    }

    /// it is neither released nor renewed while anything it rests on is not in force
    function invariant_S2_nothingIsLeasedWhilePermitsRefuses() public view {
        require(_steps.whileRefused() == 0, "leased while refused");
    }

    /// it never counts a verdict twice, nor for another node
    function invariant_S6_noVerdictCountsAgainOrElsewhere() public view {
        require(_steps.repeated() == 0, "a verdict counted again");
    }

    /// it seats no node that the licensee never authorised
    function invariant_S10_noSeatWithoutAuthorisation() public view {
        for (uint16 index = 0; index < _steps.SEATS(); ++index) {
            IReleaseLog.Seat memory seat = _steps.seat(index);
            if (seat.release == bytes32(0)) continue;
            require(_steps.everAuthorised(_steps.nodeOf(seat.release)), "a seat without authorisation");
        }
    }
}
