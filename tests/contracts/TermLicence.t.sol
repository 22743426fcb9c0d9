// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {TermLicence} from "contracts/licence/TermLicence.sol";
import {Fixture} from "./Fixture.sol";

contract TermLicenceTest is Fixture {
    /// it says what was drafted
    function test_constructor() public view {
        assertEq(licence.seats(), 2);
        assertEq(licence.text(), TEXT);
        assertEq(licence.remaining(), ANSWERS);
        assertEq(licence.RELEASES(), address(releases));
        assertEq(licence.MODEL_ID(), modelId);
    }

    /// it reverts EmptyTerm
    function test_constructor_whenTheTermIsEmpty() public {
        TermLicence.Draft memory draft = _draft(1);
        draft.end = draft.start;
        vm.expectRevert(abi.encodeWithSelector(TermLicence.EmptyTerm.selector, draft.start, draft.end));
        new TermLicence(draft);
    }

    /// it reverts NoSeats
    function test_constructor_whenThereIsNoSeat() public {
        TermLicence.Draft memory draft = _draft(0);
        vm.expectRevert(TermLicence.NoSeats.selector);
        new TermLicence(draft);
    }

    /// it permits exactly its model, from its lowest version, within its half-open term
    function testFuzz_permits_forAnyQuestion(bool same, uint32 version, uint32 lowest, uint40 when) public {
        TermLicence.Draft memory draft = _draft(1);
        draft.lowestVersion = lowest;
        TermLicence made = new TermLicence(draft);
        if (when % 2 == 0) when = START + when % (END - START);
        (bool allowed, uint8 reason) = made.permits(same ? modelId : bytes32("other"), version, "node", when);
        uint8 expected = when < START ? 1 : (when >= END ? 2 : 0);
        if (!same || version < lowest) expected = 5;
        assertEq(reason, expected);
        assertTrue(allowed == (expected == 0), "allowed");
    }

    /// it permits nothing until resumed, with reason 3
    function test_suspend() public {
        vm.expectEmit(address(licence));
        emit TermLicence.Suspended(modelId);
        vm.prank(owner);
        licence.suspend();
        _says(3);
        vm.expectEmit(address(licence));
        emit TermLicence.Resumed(modelId);
        vm.prank(owner);
        licence.resume();
        _says(0);
    }

    /// it permits nothing for ever, with reason 4
    function test_revoke() public {
        vm.expectEmit(address(licence));
        emit TermLicence.Revoked(modelId);
        vm.prank(owner);
        licence.revoke();
        _says(4);
    }

    /// it reverts WrongState
    function test_revoke_whenRevokedBefore() public {
        vm.prank(owner);
        licence.revoke();
        bytes memory why = abi.encodeWithSelector(TermLicence.WrongState.selector, TermLicence.State.Revoked);
        vm.expectRevert(why);
        vm.prank(owner);
        licence.revoke();
        vm.expectRevert(why);
        vm.prank(owner);
        licence.resume();
        vm.expectRevert(why);
        vm.prank(owner);
        licence.suspend();
    }

    /// it reverts WrongState
    function test_resume_whenItIsActive() public {
        vm.expectRevert(abi.encodeWithSelector(TermLicence.WrongState.selector, TermLicence.State.Active));
        vm.prank(owner);
        licence.resume();
    }

    /// it reverts NotLicensor, for the licensee as well
    function test_suspend_whenTheCallerDoesNotOwnTheModel() public {
        bytes memory why = abi.encodeWithSelector(TermLicence.NotLicensor.selector, modelId, licensee);
        vm.expectRevert(why);
        vm.prank(licensee);
        licence.suspend();
        vm.expectRevert(why);
        vm.prank(licensee);
        licence.revoke();
    }

    /// it obeys the new owner and no longer the old one
    function test_revoke_givenTheModelChangedHands() public {
        vm.prank(owner);
        models.offerOwnership(modelId, stranger);
        vm.prank(stranger);
        models.acceptOwnership(modelId);
        vm.expectRevert(abi.encodeWithSelector(TermLicence.NotLicensor.selector, modelId, owner));
        vm.prank(owner);
        licence.revoke();
        vm.prank(stranger);
        licence.revoke();
        _says(4);
    }

    /// it debits and credits, to the answer
    function testFuzz_use_forAnyAmount(uint64 used, uint64 credited) public {
        used %= ANSWERS + 1;
        credited %= used + 1;
        vm.prank(address(releases));
        licence.use(used);
        assertEq(licence.remaining(), ANSWERS - used);
        vm.prank(address(releases));
        licence.credit(credited);
        assertEq(licence.remaining(), ANSWERS - used + credited);
    }

    /// it reverts CreditExhausted
    function test_use_whenTheAnswersDoNotSuffice() public {
        vm.expectRevert(abi.encodeWithSelector(TermLicence.CreditExhausted.selector, ANSWERS, ANSWERS + 1));
        vm.prank(address(releases));
        licence.use(ANSWERS + 1);
    }

    /// it reverts NotReleaseLog
    function test_use_whenTheCallerIsNotTheReleaseLog() public {
        vm.expectRevert(abi.encodeWithSelector(TermLicence.NotReleaseLog.selector, owner));
        vm.prank(owner);
        licence.use(1);
        vm.expectRevert(abi.encodeWithSelector(TermLicence.NotReleaseLog.selector, owner));
        vm.prank(owner);
        licence.credit(1);
    }

    function _says(uint8 expected) private view {
        (bool allowed, uint8 reason) = licence.permits(modelId, 1, "node", _now());
        assertEq(reason, expected);
        assertTrue(allowed == (expected == 0), "allowed");
    }
}
