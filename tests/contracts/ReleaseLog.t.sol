// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IAttestationLog} from "contracts/interfaces/IAttestationLog.sol";
import {IPolicyRegistry} from "contracts/interfaces/IPolicyRegistry.sol";
import {IReleaseLog} from "contracts/interfaces/IReleaseLog.sol";
import {Fixture} from "./Fixture.sol";
import {OddLicence, RecursiveLicence} from "./Licences.sol";
import {TermLicence} from "contracts/licence/TermLicence.sol";

contract ReleaseLogTest is Fixture {
    Guest private _node;

    function setUp() public override {
        super.setUp();
        _node = _guest("a");
        _record(_node);
    }

    /// it authorises the node and stores the record's block in the id
    function test_requestKey() public {
        IReleaseLog.Subject memory subject = _subject(_node);
        bytes32 expected = keccak256(
            abi.encode(
                "exequatur/v1/release",
                block.chainid,
                address(releases),
                modelId,
                uint32(1),
                policyId,
                _node.nodeId,
                uint40(block.number - 1),
                address(licence)
            )
        );
        vm.expectEmit(address(releases));
        emit IReleaseLog.NodeAuthorised(address(licence), _node.nodeId, 0);
        vm.expectEmit(address(releases));
        emit IReleaseLog.KeyRequested(expected, modelId, _node.nodeId, subject);
        assertEq(_request(_node), expected);
        assertEq(releases.releaseOf(subject), expected);
        assertEq(releases.stateOf(expected).status, 1);
        (bool authorised,) = releases.nodeOf(address(licence), _node.nodeId);
        assertTrue(authorised, "authorised");
    }

    /// it lets anyone ask for a node that the licensee let in
    function test_requestKey_givenTheNodeIsAuthorised() public {
        vm.prank(licensee);
        releases.authorise(address(licence), _node.nodeId);
        vm.prank(stranger);
        releases.requestKey(modelId, 1, policyId, _node.nodeId, address(licence));
    }

    /// it reverts NodeNotAuthorised: S10
    function test_requestKey_whenAStrangerAsksForAnotherNode() public {
        bytes4 selector = IReleaseLog.NodeNotAuthorised.selector;
        vm.expectRevert(abi.encodeWithSelector(selector, address(licence), _node.nodeId));
        vm.prank(stranger);
        releases.requestKey(modelId, 1, policyId, _node.nodeId, address(licence));
    }

    /// it reverts AlreadyRequested, and asks anew on a newer record
    function test_requestKey_whenAskedTwice() public {
        bytes32 first = _request(_node);
        vm.expectRevert(abi.encodeWithSelector(IReleaseLog.AlreadyRequested.selector, first));
        _request(_node);
        _later(10);
        _record(_node);
        assertTrue(_request(_node) != first, "another release");
    }

    /// it reverts Refused with both reasons
    function test_requestKey_whenPermitsRefuses() public {
        vm.prank(owner);
        licence.suspend();
        bytes4 selector = IReleaseLog.Refused.selector;
        vm.expectRevert(abi.encodeWithSelector(selector, IReleaseLog.Reason.Licence, 3));
        _request(_node);
        vm.expectRevert(abi.encodeWithSelector(selector, IReleaseLog.Reason.Version, 0));
        vm.prank(licensee);
        releases.requestKey(modelId, 2, policyId, _node.nodeId, address(licence));
        vm.expectRevert(abi.encodeWithSelector(selector, IReleaseLog.Reason.Policy, 0));
        vm.prank(licensee);
        releases.requestKey(modelId, 1, "other", _node.nodeId, address(licence));
    }

    /// it authorises and asks in one transaction
    function test_requestKeyBySignature() public {
        (IReleaseLog.NodeGrant memory grant, bytes memory signature) =
            _nodeGrant(_node, _now() + 1, _key("licensee"));
        vm.prank(stranger);
        bytes32 release = releases.requestKeyBySignature(modelId, 1, policyId, grant, signature);
        assertEq(releases.stateOf(release).status, 1);
    }

    /// it records lease, seat and ceiling, and debits the answers
    function test_releaseKey() public {
        bytes32 release = _request(_node);
        vm.expectEmit(address(releases));
        emit IReleaseLog.KeyReleased(release, modelId, _node.nodeId, 1, _now() + 500, 60, ENVELOPE);
        _release(_subject(_node), 1, 500, 60);
        IReleaseLog.Release memory state = releases.stateOf(release);
        assertEq(state.until, _now() + 500);
        assertEq(state.leases, 1);
        assertEq(state.blockNumber, block.number - 1);
        assertEq(state.seat, 1);
        assertEq(state.lastCounter, 0);
        assertEq(state.ceiling, 60);
        assertEq(state.status, 2);
        assertEq(licence.remaining(), ANSWERS - 60);
        IReleaseLog.Seat memory seat = releases.seatOf(address(licence), 1);
        assertEq(seat.release, release);
        assertEq(seat.until, _now() + 500);
        assertEq(seat.takenOver, 0);
        bytes16 holder = bytes16(keccak256(abi.encode(policyId, bytes16(_node.platform))));
        assertEq(bytes32(seat.holder), bytes32(holder));
    }

    /// it reverts NotBroker, for the owner as well: S1
    function test_releaseKey_whenTheCallerIsNotTheBroker() public {
        _request(_node);
        IReleaseLog.Subject memory subject = _subject(_node);
        vm.expectRevert(abi.encodeWithSelector(IReleaseLog.NotBroker.selector, modelId, owner));
        vm.prank(owner);
        releases.releaseKey(subject, 0, LEASE, 1, ENVELOPE);
    }

    /// it reverts WrongStatus
    function test_releaseKey_whenNotRequestedOrReleasedTwice() public {
        IReleaseLog.Subject memory subject = _subject(_node);
        bytes32 release = releases.releaseOf(subject);
        _refused(subject, 0, LEASE, 1, abi.encodeWithSelector(IReleaseLog.WrongStatus.selector, release, 0));
        _request(_node);
        _release(subject, 0, LEASE, 1);
        _refused(subject, 1, LEASE, 1, abi.encodeWithSelector(IReleaseLog.WrongStatus.selector, release, 2));
    }

    /// it reverts WrongStatus for any subject but the requested one: S6
    function testFuzz_releaseKey_forAnotherSubject(uint8 field, uint256 by) public {
        _request(_node);
        IReleaseLog.Subject memory subject = _subject(_node);
        field %= 4;
        vm.assume(uint32(by) != 0 && address(uint160(by)) != address(0));
        if (field == 0) subject.version ^= uint32(by);
        if (field == 1) subject.policyId ^= bytes32(by);
        if (field == 2) subject.nodeId ^= bytes32(by);
        if (field == 3) subject.licence = address(uint160(subject.licence) ^ uint160(by));
        bytes32 other = releases.releaseOf(subject);
        _refused(subject, 0, LEASE, 1, abi.encodeWithSelector(IReleaseLog.WrongStatus.selector, other, 0));
    }

    /// it reverts Superseded: S6
    function test_releaseKey_whenANewerRecordExists() public {
        _request(_node);
        IReleaseLog.Subject memory subject = _subject(_node);
        _later(10);
        _record(_node);
        bytes4 selector = IReleaseLog.Superseded.selector;
        bytes memory why = abi.encodeWithSelector(selector, subject.blockNumber, subject.blockNumber + 1);
        _refused(subject, 0, LEASE, 1, why);
    }

    /// it reverts DurationOutOfRange
    function test_releaseKey_whenTheDurationIsOutOfRange() public {
        _request(_node);
        bytes4 selector = IReleaseLog.DurationOutOfRange.selector;
        _refused(_subject(_node), 0, 0, 1, abi.encodeWithSelector(selector, 0, LEASE));
        _refused(_subject(_node), 0, LEASE + 1, 1, abi.encodeWithSelector(selector, LEASE + 1, LEASE));
    }

    /// it reverts LeaseBeyondExpiry
    function test_releaseKey_whenTheLeaseWouldOutliveTheRecordOrIsOver() public {
        Guest memory other = _guest("b");
        uint40 expiry = _now() + 100;
        _recordUntil(other, expiry);
        _request(other);
        bytes4 selector = IReleaseLog.LeaseBeyondExpiry.selector;
        _refused(_subject(other), 0, 101, 1, abi.encodeWithSelector(selector, expiry + 1, expiry));
        vm.warp(expiry - 1);
        _refused(_subject(other), 0, 99, 1, abi.encodeWithSelector(selector, expiry - 1, expiry));
        _release(_subject(other), 0, 100, 1);
    }

    /// it reverts Refused: S2
    function test_releaseKey_whenPermitsRefusesNow() public {
        _request(_node);
        vm.prank(owner);
        policies.burn(DOMAIN, bytes16(_node.platform));
        bytes4 selector = IReleaseLog.Refused.selector;
        bytes memory why = abi.encodeWithSelector(selector, IReleaseLog.Reason.Platform, 0);
        _refused(_subject(_node), 0, LEASE, 1, why);
    }

    /// it reverts Refused, as another policy counts alone before the lease ends: S2
    function test_releaseKey_whenPermitsRefusesAtTheEndOfTheLease() public {
        _request(_node);
        bytes32 next = _publish("next");
        uint40 start = _now() + 100;
        vm.prank(owner);
        models.nameNextPolicy(modelId, 1, next, start);
        bytes4 selector = IReleaseLog.Refused.selector;
        bytes memory why = abi.encodeWithSelector(selector, IReleaseLog.Reason.Policy, 0);
        _refused(_subject(_node), 0, 101, 1, why);
        _release(_subject(_node), 0, 100, 1);
    }

    /// it reverts SeatOutOfRange
    function test_releaseKey_whenThereIsNoSuchSeat() public {
        _request(_node);
        bytes4 selector = IReleaseLog.SeatOutOfRange.selector;
        _refused(_subject(_node), 2, LEASE, 1, abi.encodeWithSelector(selector, 2, 2));
    }

    /// it reverts SeatOutOfRange
    function test_releaseKey_whenTheLicenceDoesNotSayItsSeats() public {
        OddLicence odd = _odd();
        _request(_node);
        OddLicence.Mood fine = OddLicence.Mood.Answers;
        odd.feel(fine, OddLicence.Mood.Burns, fine, fine);
        bytes4 selector = IReleaseLog.SeatOutOfRange.selector;
        _refused(_subject(_node), 0, LEASE, 1, abi.encodeWithSelector(selector, 0, 0));
    }

    /// it reverts SeatTaken, and the request stays open
    function test_releaseKey_whenTheSeatIsTaken() public {
        _live(_guest("b"), 0);
        _request(_node);
        bytes4 selector = IReleaseLog.SeatTaken.selector;
        bytes memory why = abi.encodeWithSelector(selector, address(licence), 0, _now() + LEASE);
        _refused(_subject(_node), 0, LEASE, 1, why);
        _release(_subject(_node), 1, LEASE, 1);
    }

    /// it takes a seat from the second its lease is over
    function test_releaseKey_givenTheSeatsLeaseIsOver() public {
        _live(_guest("b"), 0);
        _later(LEASE - 1);
        _record(_node);
        _request(_node);
        bytes4 selector = IReleaseLog.SeatTaken.selector;
        bytes memory why = abi.encodeWithSelector(selector, address(licence), 0, _now() + 1);
        _refused(_subject(_node), 0, LEASE, 1, why);
        vm.warp(block.timestamp + 1);
        _release(_subject(_node), 0, LEASE, 1);
    }

    /// it takes over, once per lease length
    function test_releaseKey_givenTheSamePlatformHoldsTheSeat() public {
        Guest memory other = _guest("b");
        other.platform = _node.platform;
        Guest memory third = _guest("c");
        third.platform = _node.platform;
        bytes32 from = releases.releaseOf(_live(other, 0));
        bytes32 to = _request(_node);
        vm.expectEmit(address(releases));
        emit IReleaseLog.SeatTakenOver(address(licence), 0, from, to);
        _release(_subject(_node), 0, LEASE, 1);
        assertEq(releases.seatOf(address(licence), 0).takenOver, _now());
        _later(LEASE - 1);
        _record(third);
        _request(third);
        bytes4 selector = IReleaseLog.SeatTaken.selector;
        bytes memory why = abi.encodeWithSelector(selector, address(licence), 0, _now() + 1);
        _refused(_subject(third), 0, LEASE, 1, why);
    }

    /// it lets the holder renew no more
    function test_renew_givenTheSeatWasTakenOver() public {
        Guest memory other = _guest("b");
        other.platform = _node.platform;
        IReleaseLog.Subject memory subject = _live(other, 0);
        _request(_node);
        _release(_subject(_node), 0, LEASE, 1);
        _later(10);
        _record(other);
        vm.expectRevert(abi.encodeWithSelector(IReleaseLog.SeatLost.selector, address(licence), 0));
        vm.prank(broker);
        releases.renew(subject, LEASE, QUOTA);
    }

    /// it reverts SeatTaken: software has no platform to prove
    function test_releaseKey_givenALevelZeroHolderOfTheSamePlatform() public {
        bytes32 loose = _loosePolicy();
        Guest memory other = _guest("b");
        other.platform = _node.platform;
        policyId = loose;
        _recordAtLevel(other, 0);
        _request(other);
        _release(_subject(other), 0, LEASE, 1);
        _later(1);
        _recordAtLevel(_node, 0);
        _request(_node);
        bytes4 selector = IReleaseLog.SeatTaken.selector;
        bytes memory why = abi.encodeWithSelector(selector, address(licence), 0, _now() - 1 + LEASE);
        _refused(_subject(_node), 0, LEASE, 1, why);
    }

    /// it reverts CeilingOutOfRange
    function test_releaseKey_whenTheCeilingIsOutOfRange() public {
        _request(_node);
        bytes4 selector = IReleaseLog.CeilingOutOfRange.selector;
        _refused(_subject(_node), 0, LEASE, 0, abi.encodeWithSelector(selector, 0, 1, QUOTA));
        bytes memory why = abi.encodeWithSelector(selector, QUOTA + 1, 1, QUOTA);
        _refused(_subject(_node), 0, LEASE, QUOTA + 1, why);
    }

    /// it reverts UseFailed, however the licence fails, and takes no seat
    function test_releaseKey_whenTheLicenceRefusesTheDebit() public {
        OddLicence odd = _odd();
        _request(_node);
        OddLicence.Mood fine = OddLicence.Mood.Answers;
        OddLicence.Mood[2] memory moods = [OddLicence.Mood.Reverts, OddLicence.Mood.Burns];
        for (uint256 i = 0; i < 2; ++i) {
            odd.feel(fine, fine, moods[i], fine);
            bytes memory why = abi.encodeWithSelector(IReleaseLog.UseFailed.selector, address(odd), 7);
            _refused(_subject(_node), 0, LEASE, 7, why);
        }
        assertEq(releases.seatOf(address(odd), 0).until, 0);
    }

    /// it finds the release live already, and is refused
    function test_releaseKey_whenTheLicenceCallsBack() public {
        RecursiveLicence recursive = new RecursiveLicence(releases);
        _grant(address(recursive));
        vm.prank(owner);
        models.setBroker(modelId, address(recursive));
        licence = TermLicence(address(recursive));
        _request(_node);
        recursive.release(_subject(_node));
        assertEq(bytes32(recursive.failure()), bytes32(IReleaseLog.WrongStatus.selector));
        assertEq(releases.seatOf(address(recursive), 1).until, 0);
    }

    /// it counts a lease more on the newer record, keeps the seat and debits the increase
    function test_renew() public {
        _request(_node);
        IReleaseLog.Subject memory subject = _subject(_node);
        bytes32 release = releases.releaseOf(subject);
        _release(subject, 0, LEASE, 60);
        _later(300);
        _record(_node);
        uint40 newer = uint40(block.number - 1);
        vm.expectEmit(address(releases));
        emit IReleaseLog.LeaseRenewed(release, modelId, _node.nodeId, 1, newer, _now() + LEASE, 80);
        _renew(subject, LEASE, 80);
        IReleaseLog.Release memory state = releases.stateOf(release);
        assertEq(state.until, _now() + LEASE);
        assertEq(state.leases, 2);
        assertEq(state.blockNumber, newer);
        assertEq(state.ceiling, 80);
        assertEq(licence.remaining(), ANSWERS - 80);
        assertEq(releases.seatOf(address(licence), 0).until, _now() + LEASE);
    }

    /// it renews while its seat is still its own
    function test_renew_givenTheLeaseLapsed() public {
        IReleaseLog.Subject memory subject = _live(_node2(), 0);
        _later(2 * LEASE);
        _record(_node2());
        _renew(subject, LEASE, QUOTA);
        assertEq(releases.stateOf(releases.releaseOf(subject)).until, _now() + LEASE);
    }

    /// it reverts SeatLost
    function test_renew_givenTheSeatWentToAnother() public {
        IReleaseLog.Subject memory subject = _live(_node2(), 0);
        _later(LEASE);
        _live(_guest("c"), 0);
        _record(_node2());
        vm.expectRevert(abi.encodeWithSelector(IReleaseLog.SeatLost.selector, address(licence), 0));
        _renew(subject, LEASE, QUOTA);
    }

    /// it reverts NoNewerRecord: S6
    function test_renew_whenTheRecordIsTheSame() public {
        IReleaseLog.Subject memory subject = _live(_node2(), 0);
        bytes4 selector = IReleaseLog.NoNewerRecord.selector;
        vm.expectRevert(abi.encodeWithSelector(selector, subject.blockNumber, subject.blockNumber));
        _renew(subject, LEASE, QUOTA);
    }

    /// it reverts NotBroker
    function test_renew_whenTheCallerIsNotTheBroker() public {
        IReleaseLog.Subject memory subject = _live(_node2(), 0);
        vm.expectRevert(abi.encodeWithSelector(IReleaseLog.NotBroker.selector, modelId, licensee));
        vm.prank(licensee);
        releases.renew(subject, LEASE, QUOTA);
    }

    /// it reverts WrongStatus
    function test_renew_whenItIsNotLive() public {
        bytes32 release = _request(_node);
        IReleaseLog.Subject memory subject = _subject(_node);
        vm.expectRevert(abi.encodeWithSelector(IReleaseLog.WrongStatus.selector, release, 1));
        _renew(subject, LEASE, QUOTA);
    }

    /// it reverts Refused: S2
    function test_renew_whenPermitsRefuses() public {
        IReleaseLog.Subject memory subject = _live(_node2(), 0);
        _later(10);
        _record(_node2());
        vm.prank(licensee);
        releases.revokeNode(address(licence), subject.nodeId);
        vm.expectRevert(abi.encodeWithSelector(IReleaseLog.Refused.selector, IReleaseLog.Reason.Node, 0));
        _renew(subject, LEASE, QUOTA);
    }

    /// it may not fall, nor exceed what is anchored by more than the quota
    function testFuzz_renew_forAnyCeiling(uint64 anchored, uint64 ceiling) public {
        anchored = anchored % QUOTA + 1;
        Guest memory guest = _node2();
        IReleaseLog.Subject memory subject = _live(guest, 0);
        _anchor(guest, subject, 1, anchored, false);
        _later(10);
        _record(guest);
        uint64 lowest = anchored == QUOTA ? QUOTA + 1 : QUOTA;
        ceiling %= 3 * QUOTA;
        if (ceiling < lowest || ceiling > anchored + QUOTA) {
            bytes4 selector = IReleaseLog.CeilingOutOfRange.selector;
            vm.expectRevert(abi.encodeWithSelector(selector, ceiling, lowest, anchored + QUOTA));
        }
        _renew(subject, LEASE, ceiling);
    }

    /// it renews although counter and quota add up to more than a counter holds
    function test_renew_givenAnEndlessQuota() public {
        policyId = _endlessPolicy();
        Guest memory guest = _node2();
        _record(guest);
        _request(guest);
        IReleaseLog.Subject memory subject = _subject(guest);
        _release(subject, 0, LEASE, 10);
        _anchor(guest, subject, 1, 10, false);
        _later(10);
        _record(guest);
        _renew(subject, LEASE, 20);
    }

    /// it ends the release for the node, and frees no seat
    function test_stop() public {
        Guest memory guest = _node2();
        IReleaseLog.Subject memory subject = _live(guest, 0);
        bytes32 release = releases.releaseOf(subject);
        vm.expectEmit(address(releases));
        emit IReleaseLog.ReleaseStopped(release, modelId, guest.nodeId);
        vm.prank(broker);
        releases.stop(subject);
        assertEq(releases.stateOf(release).status, 3);
        (, bool stopped) = releases.nodeOf(address(licence), guest.nodeId);
        assertTrue(stopped, "stopped");
        assertEq(releases.seatOf(address(licence), 0).until, _now() + LEASE);
    }

    /// it reverts NotBroker
    function test_stop_whenTheCallerIsNotTheBroker() public {
        IReleaseLog.Subject memory subject = _live(_node2(), 0);
        vm.expectRevert(abi.encodeWithSelector(IReleaseLog.NotBroker.selector, modelId, licensee));
        vm.prank(licensee);
        releases.stop(subject);
    }

    /// it reverts WrongStatus
    function test_stop_whenStoppedBefore() public {
        IReleaseLog.Subject memory subject = _live(_node2(), 0);
        vm.prank(broker);
        releases.stop(subject);
        bytes32 release = releases.releaseOf(subject);
        vm.expectRevert(abi.encodeWithSelector(IReleaseLog.WrongStatus.selector, release, 3));
        vm.prank(broker);
        releases.stop(subject);
    }

    function _node2() private pure returns (Guest memory) {
        return _guest("b");
    }

    function _release(IReleaseLog.Subject memory subject, uint16 seat, uint32 duration, uint64 ceiling) private {
        vm.prank(broker);
        releases.releaseKey(subject, seat, duration, ceiling, ENVELOPE);
    }

    function _renew(IReleaseLog.Subject memory subject, uint32 duration, uint64 ceiling) private {
        vm.prank(broker);
        releases.renew(subject, duration, ceiling);
    }

    function _refused(
        IReleaseLog.Subject memory subject,
        uint16 seat,
        uint32 duration,
        uint64 ceiling,
        bytes memory why
    ) private {
        vm.expectRevert(why);
        _release(subject, seat, duration, ceiling);
    }

    function _odd() private returns (OddLicence odd) {
        odd = new OddLicence();
        _grant(address(odd));
        licence = TermLicence(address(odd));
    }

    function _recordUntil(Guest memory guest, uint40 expiry) private {
        IAttestationLog.Verdict memory verdict = _verdict(guest);
        verdict.expiry = expiry;
        _submit(verdict);
    }

    function _recordAtLevel(Guest memory guest, uint8 level) private {
        IAttestationLog.Verdict memory verdict = _verdict(guest);
        verdict.level = level;
        _submit(verdict);
    }

    /// @dev A policy that takes evidence of any level, for the version as its next policy.
    function _loosePolicy() private returns (bytes32) {
        IPolicyRegistry.Enforced memory enforced = _enforced();
        enforced.minimumLevel = 0;
        return _next(enforced);
    }

    function _endlessPolicy() private returns (bytes32) {
        IPolicyRegistry.Enforced memory enforced = _enforced();
        enforced.quota = type(uint64).max;
        return _next(enforced);
    }

    function _next(IPolicyRegistry.Enforced memory enforced) private returns (bytes32 next) {
        vm.prank(owner);
        next = policies.publish(enforced, "next");
        uint40 start = _now() + 10 * LEASE;
        vm.prank(owner);
        models.nameNextPolicy(modelId, 1, next, start);
    }
}
