// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IAttestationLog} from "contracts/interfaces/IAttestationLog.sol";
import {IReleaseLog} from "contracts/interfaces/IReleaseLog.sol";
import {Fixture} from "./Fixture.sol";

/// @title Whatever four guests, their licensee, the broker, a thief and time may do, in any order.
contract Steps is Fixture {
    uint16 public constant SEATS = 2;

    mapping(bytes32 nodeId => bool) public everAuthorised;
    mapping(bytes32 release => bytes32) public nodeOf;
    IReleaseLog.Subject[] private _subjects;
    uint256 public released;
    uint256 public renewed;
    uint256 public takenOver;
    uint256 public settled;
    uint256 public byThief;
    uint256 public unauthorised;
    uint256 public whileRefused;
    uint256 public repeated;
    uint256 public unnamedPolicy;
    uint64 public debited;
    uint64 public credited;

    Guest[] private _guests;
    bytes32[] private _policies;
    IAttestationLog.Verdict[] private _verdicts;

    constructor() {
        setUp();
        for (uint256 i = 0; i < 4; ++i) {
            _guests.push(_guest(string(bytes.concat("guest", bytes1(uint8(0x30 + i))))));
        }
        // The first two share a machine, so that one may take the other's seat over.
        _guests[1].platform = _guests[0].platform;
        _policies.push(policyId);
        _policies.push(_publish("next"));
    }

    function record(uint8 who, bool next) public {
        _later(12);
        policyId = _policies[next ? 1 : 0];
        IAttestationLog.Verdict memory verdict = _verdict(_guests[who % 4]);
        try attestations.record(verdict, _signatures(verdict, 2)) {
            _verdicts.push(verdict);
        } catch {}
    }

    /// @dev An older verdict, or the same one under another policy or node, with the signatures it once had.
    function repeat(uint8 which, uint8 elsewhere) external {
        if (_verdicts.length == 0) return;
        IAttestationLog.Verdict memory verdict = _verdicts[which % _verdicts.length];
        bytes[] memory signatures = _signatures(verdict, 2);
        if (elsewhere % 3 == 1) verdict.nodeId = _guests[(which + 1) % 4].nodeId;
        if (elsewhere % 3 == 2) verdict.policyId = _policies[verdict.policyId == _policies[0] ? 1 : 0];
        bytes32 held = keccak256(abi.encode(attestations.recordOf(verdict.policyId, verdict.nodeId)));
        try attestations.record(verdict, signatures) {} catch {}
        if (keccak256(abi.encode(attestations.recordOf(verdict.policyId, verdict.nodeId))) != held) ++repeated;
    }

    function request(uint8 who, bool next, bool byLicensee) public {
        policyId = _policies[next ? 1 : 0];
        Guest memory guest = _guests[who % 4];
        IReleaseLog.Subject memory subject = _subject(guest);
        vm.prank(byLicensee ? licensee : stranger);
        try releases.requestKey(modelId, 1, policyId, guest.nodeId, address(licence)) returns (bytes32 held) {
            if (byLicensee) everAuthorised[guest.nodeId] = true;
            nodeOf[held] = guest.nodeId;
            _subjects.push(subject);
        } catch {}
    }

    function release(uint8 which, uint16 index, uint32 duration, uint64 ceiling, bool byBroker) public {
        if (_subjects.length == 0) return;
        IReleaseLog.Subject memory subject = _subjects[which % _subjects.length];
        ceiling = ceiling % QUOTA + 1;
        index %= SEATS + 1;
        uint40 before = seat(index).until;
        vm.prank(byBroker ? broker : stranger);
        try releases.releaseKey(subject, index, duration % LEASE + 1, ceiling, ENVELOPE) {
            ++released;
            debited += ceiling;
            if (before > _now()) ++takenOver;
            if (!byBroker) ++byThief;
            _judge(subject);
        } catch {}
    }

    function renew(uint8 which, uint32 duration, uint64 increase) public {
        if (_subjects.length == 0) return;
        IReleaseLog.Subject memory subject = _subjects[which % _subjects.length];
        IReleaseLog.Release memory before = releases.stateOf(releases.releaseOf(subject));
        increase %= QUOTA;
        vm.prank(broker);
        try releases.renew(subject, duration % LEASE + 1, before.ceiling + increase) {
            ++renewed;
            debited += increase;
            if (attestations.recordOf(subject.policyId, subject.nodeId).blockNumber <= before.blockNumber) ++repeated;
            _judge(subject);
        } catch {}
    }

    function anchor(uint8 which, uint64 count, bool last) public {
        if (_subjects.length == 0) return;
        IReleaseLog.Subject memory subject = _subjects[which % _subjects.length];
        IReleaseLog.Release memory before = releases.stateOf(releases.releaseOf(subject));
        uint64 to = before.lastCounter + count % QUOTA;
        Guest memory guest = _byNode(subject.nodeId);
        IReleaseLog.Usage memory usage = _usage(subject, before.lastCounter + 1, to, last);
        try releases.anchorUsage(subject, usage, guest.keys, _signUsage(guest.key, usage)) {
            if (!last) return;
            ++settled;
            credited += before.ceiling - to;
        } catch {}
    }

    function end(uint8 which, uint8 how) external {
        if (_subjects.length == 0 || how % 4 != 0) return;
        IReleaseLog.Subject memory subject = _subjects[which % _subjects.length];
        Guest memory guest = _byNode(subject.nodeId);
        (IReleaseLog.Stopped memory statement, bytes memory signature) = _stopped(guest, subject);
        if (how % 8 == 0) {
            try releases.guestStopped(subject, statement, guest.keys, signature) {} catch {}
        } else {
            vm.prank(broker);
            try releases.stop(subject) {} catch {}
        }
    }

    function revokeNode(uint8 who) external {
        vm.prank(licensee);
        try releases.revokeNode(address(licence), _guests[who % 4].nodeId) {} catch {}
    }

    function takeBack(uint8 what) external {
        address verifier = vm.addr(judges[0]);
        if (what % 16 > 4 && (what % 64 < 5 || what % 64 > 7)) return;
        vm.prank(owner);
        if (what % 16 == 0) try licence.suspend() {} catch {}
        else if (what % 16 < 4) try licence.resume() {} catch {}
        else if (what % 16 == 4) try models.nameNextPolicy(modelId, 1, _policies[1], _now() + 900) {} catch {}
        else if (what % 64 == 5) try models.withdrawVersion(modelId, 1) {} catch {}
        else if (what % 64 == 6) try attestations.withdraw(policyId, _guests[what % 4].nodeId) {} catch {}
        else if (what % 64 == 7) try policies.withdrawVerifier(policyId, verifier) {} catch {}
    }

    function wait(uint16 secondsLater) external {
        _later(secondsLater % 900 + 1);
    }

    function seat(uint16 index) public view returns (IReleaseLog.Seat memory) {
        return releases.seatOf(address(licence), index);
    }

    function remaining() external view returns (uint64) {
        return licence.remaining();
    }

    /// @notice Whether any counter passed its ceiling.
    function overdrawn() external view returns (bool) {
        for (uint256 i = 0; i < _subjects.length; ++i) {
            IReleaseLog.Release memory state = releases.stateOf(releases.releaseOf(_subjects[i]));
            if (state.lastCounter > state.ceiling) return true;
        }
        return false;
    }

    /// @dev A lease was just granted: nothing changed since, so what it rests on must still be in force, to its end.
    function _judge(IReleaseLog.Subject memory subject) private {
        uint40 until = releases.stateOf(releases.releaseOf(subject)).until;
        if (!_permitted(subject, _now()) || !_permitted(subject, until - 1)) ++whileRefused;
        (,, bytes32 first, bytes32 second) = models.servedAt(modelId, 1, _now());
        if (subject.policyId != first && subject.policyId != second) ++unnamedPolicy;
        (bool authorised, bool stopped) = releases.nodeOf(subject.licence, subject.nodeId);
        if (!authorised || stopped) ++unauthorised;
    }

    function _permitted(IReleaseLog.Subject memory subject, uint40 when) private view returns (bool allowed) {
        (allowed,) = releases.permitsUnder(modelId, 1, subject.policyId, subject.nodeId, subject.licence, when);
    }

    function _byNode(bytes32 nodeId) private view returns (Guest memory guest) {
        for (uint256 i = 0; i < 4; ++i) {
            if (_guests[i].nodeId == nodeId) return _guests[i];
        }
    }
}
