// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {IReleaseLog} from "contracts/interfaces/IReleaseLog.sol";
import {TermLicence} from "contracts/licence/TermLicence.sol";
import {Fixture} from "./Fixture.sol";
import {OddLicence} from "./Licences.sol";

contract GuestWordTest is Fixture {
    Guest private _node;
    IReleaseLog.Subject private _held;
    bytes32 private _release;

    function setUp() public override {
        super.setUp();
        _node = _guest("a");
        _held = _live(_node, 0);
        _release = releases.releaseOf(_held);
    }

    /// it ends node and release and frees the seat, whoever brings it
    function test_guestStopped() public {
        (IReleaseLog.Stopped memory statement, bytes memory signature) = _stopped(_node, _held);
        vm.expectEmit(address(releases));
        emit IReleaseLog.GuestStopped(_release, modelId, _node.nodeId, 0, keccak256("root"));
        vm.prank(stranger);
        releases.guestStopped(_held, statement, _node.keys, signature);
        assertEq(releases.stateOf(_release).status, 4);
        assertEq(releases.seatOf(address(licence), 0).until, _now());
        (, bool stopped) = releases.nodeOf(address(licence), _node.nodeId);
        assertTrue(stopped, "stopped");
        _live(_guest("b"), 0);
    }

    /// it frees the seat that the broker's stop kept
    function test_guestStopped_givenTheBrokerStoppedIt() public {
        vm.prank(broker);
        releases.stop(_held);
        _end(_node, _held);
        assertEq(releases.seatOf(address(licence), 0).until, _now());
    }

    /// it leaves the seat to its new holder
    function test_guestStopped_givenTheSeatWentToAnother() public {
        _later(LEASE);
        _live(_guest("b"), 0);
        _end(_node, _held);
        assertEq(releases.seatOf(address(licence), 0).until, _now() + LEASE);
    }

    /// it touches no seat
    function test_guestStopped_givenTheKeyWasNeverReleased() public {
        Guest memory other = _guest("b");
        _record(other);
        _request(other);
        _end(other, _subject(other));
        assertEq(releases.seatOf(address(licence), 0).until, _now() + LEASE);
    }

    /// it reverts WrongStatus
    function test_guestStopped_whenItEndedBefore() public {
        _end(_node, _held);
        (IReleaseLog.Stopped memory statement, bytes memory signature) = _stopped(_node, _held);
        vm.expectRevert(abi.encodeWithSelector(IReleaseLog.WrongStatus.selector, _release, 4));
        releases.guestStopped(_held, statement, _node.keys, signature);
    }

    /// it reverts WrongSigner: S6
    function test_guestStopped_whenAnotherKeySigned() public {
        (IReleaseLog.Stopped memory statement,) = _stopped(_node, _held);
        bytes memory signature = _signStopped(_key("stranger"), statement);
        bytes32 recovered =
            keccak256(abi.encode("exequatur/v1/node", _node.keys.hpke, _node.keys.receipt, stranger));
        vm.expectRevert(abi.encodeWithSelector(IReleaseLog.WrongSigner.selector, _node.nodeId, recovered));
        releases.guestStopped(_held, statement, _node.keys, signature);
    }

    /// it reverts WrongSigner: S6
    function test_guestStopped_whenTheKeysAreAnothers() public {
        (IReleaseLog.Stopped memory statement, bytes memory signature) = _stopped(_node, _held);
        vm.expectPartialRevert(IReleaseLog.WrongSigner.selector);
        releases.guestStopped(_held, statement, _guest("b").keys, signature);
    }

    /// it reverts WrongSeal
    function test_guestStopped_whenTheSealIsAnother() public {
        (IReleaseLog.Stopped memory statement,) = _stopped(_node, _held);
        statement.sealId = "other";
        bytes memory signature = _signStopped(_node.key, statement);
        vm.expectRevert(abi.encodeWithSelector(IReleaseLog.WrongSeal.selector, SEAL, bytes32("other")));
        releases.guestStopped(_held, statement, _node.keys, signature);
    }

    /// it reverts WrongSubject: S6
    function test_guestStopped_whenTheSubjectIsAnothers() public {
        IReleaseLog.Subject memory other = _live(_guest("b"), 1);
        (IReleaseLog.Stopped memory statement, bytes memory signature) = _stopped(_node, _held);
        vm.expectRevert(abi.encodeWithSelector(IReleaseLog.WrongSubject.selector, _release));
        releases.guestStopped(other, statement, _node.keys, signature);
    }

    /// it reverts with the errors of ECDSA
    function test_guestStopped_whenTheSignatureIsMalformed() public {
        (IReleaseLog.Stopped memory statement,) = _stopped(_node, _held);
        vm.expectRevert(abi.encodeWithSelector(ECDSA.ECDSAInvalidSignatureLength.selector, 64));
        releases.guestStopped(_held, statement, _node.keys, new bytes(64));
    }

    /// it moves the counter and keeps the release live
    function test_anchorUsage() public {
        vm.expectEmit(address(releases));
        emit IReleaseLog.UsageAnchored(_release, modelId, _node.nodeId, 1, 40, keccak256("root"), false);
        _anchor(_node, _held, 1, 40, false);
        assertEq(releases.stateOf(_release).lastCounter, 40);
        assertEq(releases.stateOf(_release).status, 2);
        _anchor(_node, _held, 41, QUOTA, false);
        assertEq(releases.stateOf(_release).lastCounter, QUOTA);
    }

    /// it settles, ends the node and gives unused answers back
    function test_anchorUsage_whenItIsTheLast() public {
        _anchor(_node, _held, 1, 40, true);
        assertEq(releases.stateOf(_release).status, 5);
        assertEq(licence.remaining(), ANSWERS - 40);
        assertEq(releases.seatOf(address(licence), 0).until, _now());
        (, bool stopped) = releases.nodeOf(address(licence), _node.nodeId);
        assertTrue(stopped, "stopped");
    }

    /// it settles a guest that stopped, without an answer since
    function test_anchorUsage_givenTheGuestStopped() public {
        _anchor(_node, _held, 1, 40, false);
        _end(_node, _held);
        _anchor(_node, _held, 41, 40, true);
        assertEq(releases.stateOf(_release).status, 5);
        assertEq(licence.remaining(), ANSWERS - 40);
    }

    /// it settles a release that its broker stopped
    function test_anchorUsage_givenTheBrokerStoppedIt() public {
        vm.prank(broker);
        releases.stop(_held);
        _anchor(_node, _held, 1, 5, true);
        assertEq(licence.remaining(), ANSWERS - 5);
    }

    /// it settles all the same and says so
    function test_anchorUsage_whenTheLicenceRefusesTheCredit() public {
        OddLicence odd = new OddLicence();
        _grant(address(odd));
        licence = TermLicence(address(odd));
        Guest memory guest = _guest("b");
        IReleaseLog.Subject memory subject = _live(guest, 0);
        OddLicence.Mood fine = OddLicence.Mood.Answers;
        odd.feel(fine, fine, fine, OddLicence.Mood.Burns);
        IReleaseLog.Usage memory usage = _usage(subject, 1, 30, true);
        bytes memory signature = _signUsage(guest.key, usage);
        vm.expectEmit(address(releases));
        emit IReleaseLog.CreditFailed(address(odd), QUOTA - 30);
        releases.anchorUsage(subject, usage, guest.keys, signature);
        assertEq(releases.stateOf(releases.releaseOf(subject)).status, 5);
    }

    /// it reverts WrongStatus
    function test_anchorUsage_whenSettledBefore() public {
        _anchor(_node, _held, 1, 40, true);
        _refused(_usage(_held, 41, 50, false), abi.encodeWithSelector(IReleaseLog.WrongStatus.selector, _release, 5));
    }

    /// it reverts WrongStatus
    function test_anchorUsage_whenTheKeyWasNeverReleased() public {
        Guest memory other = _guest("b");
        _record(other);
        bytes32 release = _request(other);
        IReleaseLog.Usage memory usage = _usage(_subject(other), 1, 1, false);
        _refused(usage, abi.encodeWithSelector(IReleaseLog.WrongStatus.selector, release, 1));
    }

    /// it reverts NotContiguous: a gap, a repetition, an empty or a backward range
    function test_anchorUsage_whenTheRangeDoesNotContinue() public {
        _anchor(_node, _held, 1, 40, false);
        bytes4 selector = IReleaseLog.NotContiguous.selector;
        _refused(_usage(_held, 42, 50, false), abi.encodeWithSelector(selector, 41, 42));
        _refused(_usage(_held, 1, 40, false), abi.encodeWithSelector(selector, 41, 1));
        _refused(_usage(_held, 41, 40, false), abi.encodeWithSelector(selector, 41, 40));
        _refused(_usage(_held, 41, 39, true), abi.encodeWithSelector(selector, 41, 39));
    }

    /// it reverts CounterBeyondCeiling
    function test_anchorUsage_whenItExceedsTheCeiling() public {
        bytes4 selector = IReleaseLog.CounterBeyondCeiling.selector;
        _refused(_usage(_held, 1, QUOTA + 1, false), abi.encodeWithSelector(selector, QUOTA + 1, QUOTA));
    }

    /// it reverts WrongSeal
    function test_anchorUsage_whenTheSealIsAnother() public {
        IReleaseLog.Usage memory usage = _usage(_held, 1, 2, false);
        usage.sealId = "other";
        _refused(usage, abi.encodeWithSelector(IReleaseLog.WrongSeal.selector, SEAL, bytes32("other")));
    }

    /// it reverts WrongSigner whatever was changed after signing: S6
    function testFuzz_anchorUsage_forAnyChangedField(uint8 field, uint8 by) public {
        vm.assume(by != 0);
        IReleaseLog.Usage memory usage = _usage(_held, 1, 40, false);
        bytes memory signature = _signUsage(_node.key, usage);
        field %= 3;
        if (field == 0) usage.lastCounter = 41 + by % 50;
        if (field == 1) usage.root ^= bytes32(uint256(by));
        if (field == 2) usage.last = true;
        vm.expectPartialRevert(IReleaseLog.WrongSigner.selector);
        releases.anchorUsage(_held, usage, _node.keys, signature);
    }

    function _refused(IReleaseLog.Usage memory usage, bytes memory why) private {
        bytes memory signature = _signUsage(_node.key, usage);
        vm.expectRevert(why);
        releases.anchorUsage(_held, usage, _node.keys, signature);
    }
}
