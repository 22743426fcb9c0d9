// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IAttestationLog} from "contracts/interfaces/IAttestationLog.sol";
import {IReleaseLog} from "contracts/interfaces/IReleaseLog.sol";
import {Fixture} from "./Fixture.sol";

/// @title Whatever four guests, their licensee, the broker, a thief and time may do, in any order.
contract Steps is Fixture {
    uint16 public constant SEATS = 2;

    mapping(bytes32 nodeId => bool) public everAuthorised;
    mapping(bytes32 release => IReleaseLog.Subject) public subjects;
    uint256 public released;
    uint256 public byThief;
    uint256 public whileRefused;
    uint256 public repeated;
    uint256 public unnamedPolicy;

    Guest[] private _guests;
    IAttestationLog.Verdict[] private _verdicts;

    constructor() {
        setUp();
        for (uint256 i = 0; i < 4; ++i) {
            _guests.push(_guest(string(bytes.concat("guest", bytes1(uint8(0x30 + i))))));
        }
    }

    function record(uint8 who) external {
        _later(12);
        IAttestationLog.Verdict memory verdict = _verdict(_guests[who % 4]);
        try attestations.record(verdict, _signatures(verdict, 2)) {
            _verdicts.push(verdict);
        } catch {}
    }

    /// @dev An older verdict, or the same one under another policy or node, with the signatures it once had.
    function repeat(uint8 which, bool elsewhere) external {
        if (_verdicts.length == 0) return;
        IAttestationLog.Verdict memory verdict = _verdicts[which % _verdicts.length];
        bytes[] memory signatures = _signatures(verdict, 2);
        if (elsewhere) verdict.nodeId = _guests[(which + 1) % 4].nodeId;
        bytes32 held = keccak256(abi.encode(attestations.recordOf(verdict.policyId, verdict.nodeId)));
        try attestations.record(verdict, signatures) {} catch {}
        if (keccak256(abi.encode(attestations.recordOf(verdict.policyId, verdict.nodeId))) != held) ++repeated;
    }

    function request(uint8 who, bool byLicensee) external {
        bytes32 nodeId = _guests[who % 4].nodeId;
        vm.prank(byLicensee ? licensee : stranger);
        try releases.requestKey(modelId, 1, policyId, nodeId, address(licence)) {
            if (byLicensee) everAuthorised[nodeId] = true;
        } catch {}
    }

    function release(uint8 who, uint16 seat, bool byBroker) external {
        IReleaseLog.Subject memory subject = _subject(_guests[who % 4]);
        (bool allowed,) = _asked(subject);
        vm.prank(byBroker ? broker : stranger);
        try releases.releaseKey(subject, seat % (SEATS + 1), LEASE, QUOTA, ENVELOPE) {
            ++released;
            subjects[releases.releaseOf(subject)] = subject;
            if (!byBroker) ++byThief;
            if (!allowed) ++whileRefused;
            (,, bytes32 first, bytes32 second) = models.servedAt(modelId, 1, _now());
            if (subject.policyId != first && subject.policyId != second) ++unnamedPolicy;
        } catch {}
    }

    function renew(uint8 who) external {
        IReleaseLog.Subject memory subject = _subject(_guests[who % 4]);
        (bool allowed,) = _asked(subject);
        vm.prank(broker);
        try releases.renew(subject, LEASE, QUOTA) {
            if (!allowed) ++whileRefused;
        } catch {}
    }

    function revokeNode(uint8 who) external {
        vm.prank(licensee);
        try releases.revokeNode(address(licence), _guests[who % 4].nodeId) {} catch {}
    }

    function takeBack(uint8 what) external {
        vm.prank(owner);
        if (what % 16 == 0) try licence.suspend() {} catch {}
        else if (what % 16 < 4) try licence.resume() {} catch {}
        else if (what % 64 == 5) try models.withdrawVersion(modelId, 1) {} catch {}
        else if (what % 64 == 6) try attestations.withdraw(policyId, _guests[what % 4].nodeId) {} catch {}
        else if (what % 64 == 7) try policies.withdrawVerifier(policyId, vm.addr(judges[0])) {} catch {}
    }

    function wait(uint16 secondsLater) external {
        _later(secondsLater % 900 + 1);
    }

    function seat(uint16 index) external view returns (IReleaseLog.Seat memory) {
        return releases.seatOf(address(licence), index);
    }

    function nodeOf(bytes32 held) external view returns (bytes32) {
        return subjects[held].nodeId;
    }

    function _asked(IReleaseLog.Subject memory subject) private view returns (bool, IReleaseLog.Reason) {
        return releases.permitsUnder(
            modelId, 1, subject.policyId, subject.nodeId, subject.licence, _now()
        );
    }
}
