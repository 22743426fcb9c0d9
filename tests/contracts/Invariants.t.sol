// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IReleaseLog} from "contracts/interfaces/IReleaseLog.sol";
import {Steps} from "./Steps.sol";
import {Vm} from "./Vm.sol";

/// @title What must hold after every sequence of steps; numbers are those of the design.
contract InvariantsTest {
    uint64 private constant ANSWERS = 1000;

    Steps private _steps;

    function setUp() public {
        _steps = new Steps();
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_steps);
    }

    function excludeSelectors() public view returns (Vm.FuzzSelector[] memory excluded) {
        excluded = new Vm.FuzzSelector[](1);
        excluded[0] = Vm.FuzzSelector(address(_steps), new bytes4[](1));
        excluded[0].selectors[0] = this.setUp.selector;
    }

    /// it is released by the broker alone, under a policy that the version names
    function invariant_S1_onlyTheBrokerReleasesUnderNamedPolicies() public view {
        require(_steps.byThief() == 0, "a thief released");
        require(_steps.unnamedPolicy() == 0, "released under another policy");
    }

    /// it is neither released nor renewed unless all it rests on is in force, now and to the end of the lease
    function invariant_S2_nothingIsLeasedWhilePermitsRefuses() public view {
        require(_steps.whileRefused() == 0, "leased while refused");
    }

    /// it never counts a verdict twice, nor for another node or policy, nor for a second lease
    function invariant_S6_noVerdictCountsAgainOrElsewhere() public view {
        require(_steps.repeated() == 0, "a verdict counted again");
    }

    /// it seats no node that the licensee never authorised, and leases to none that is revoked or stopped
    function invariant_S10_noSeatWithoutAuthorisation() public view {
        require(_steps.unauthorised() == 0, "leased without authorisation");
        for (uint16 index = 0; index < _steps.SEATS(); ++index) {
            IReleaseLog.Seat memory seat = _steps.seat(index);
            if (seat.release == bytes32(0)) continue;
            require(_steps.everAuthorised(_steps.nodeOf(seat.release)), "a seat without authorisation");
        }
        require(_steps.seat(_steps.SEATS()).until == 0, "a seat too many");
    }

    /// it debits and credits the licence to the answer, and no counter passes its ceiling
    function invariant_meter_balances() public view {
        require(_steps.remaining() + _steps.debited() == ANSWERS + _steps.credited(), "meter");
        require(!_steps.overdrawn(), "counter");
    }

    /// it releases, renews, takes over and settles: the invariants speak of something
    function test_steps() public {
        for (uint16 round = 0; round < 6; ++round) {
            uint8 who = uint8(round % 2);
            _steps.record(who, false);
            _steps.request(who, false, true);
            _steps.release(uint8(round), 0, 599, 9, true);
            _steps.record(who, false);
            _steps.renew(uint8(round), 599, 5);
            _steps.wait(299);
        }
        for (uint8 which = 0; which < 6; ++which) {
            _steps.anchor(which, 3, true);
        }
        require(_steps.released() > 1, "released");
        require(_steps.renewed() > 1, "renewed");
        require(_steps.takenOver() > 0, "taken over");
        require(_steps.settled() > 0, "settled");
    }
}
