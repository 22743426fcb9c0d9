// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {AttestationLog} from "contracts/AttestationLog.sol";
import {IAttestationLog} from "contracts/interfaces/IAttestationLog.sol";
import {Fixture} from "./Fixture.sol";

contract AttestationLogTest is Fixture {
    /// it stores two slots and emits the whole verdict
    function test_record() public {
        Guest memory guest = _guest("a");
        IAttestationLog.Verdict memory verdict = _verdict(guest);
        bytes[] memory signatures = _signatures(verdict, 2);
        vm.expectEmit(address(attestations));
        emit IAttestationLog.Recorded(policyId, guest.nodeId, verdict.evidence, verdict, 3);
        attestations.record(verdict, signatures);
        IAttestationLog.Record memory found = attestations.recordOf(policyId, guest.nodeId);
        assertEq(found.asOf, verdict.asOf);
        assertEq(found.expiry, verdict.expiry);
        assertEq(found.recordedAt, block.timestamp);
        assertEq(found.blockNumber, verdict.blockNumber);
        assertEq(found.level, 2);
        assertEq(found.kinds, 1);
        assertEq(found.place, 756);
        assertEq(found.signers, 3);
        assertEq(found.flags, 0);
        assertEq(bytes32(found.workload), bytes32(bytes16(verdict.workload)));
        assertEq(bytes32(found.platform), bytes32(bytes16(verdict.platform)));
        assertEq(found.gap, 0);
        _stands(guest, IAttestationLog.Standing.Live);
    }

    /// it keeps every field apart
    function testFuzz_record_forAnyFacts(uint8 level, uint32 kinds, uint16 place, uint32 age, bytes32 w, bytes32 p)
        public
    {
        Guest memory guest = _guest("a");
        IAttestationLog.Verdict memory verdict = _verdict(guest);
        (verdict.kinds, verdict.place, verdict.workload, verdict.platform) = (kinds, place, w, p);
        verdict.level = level == 0 ? 1 : level;
        verdict.asOf -= age % CHALLENGE_AGE;
        verdict.expiry = _now() + 1 + age % (MAXIMUM_AGE - CHALLENGE_AGE);
        _submit(verdict);
        IAttestationLog.Record memory found = attestations.recordOf(policyId, guest.nodeId);
        assertEq(found.asOf, verdict.asOf);
        assertEq(found.expiry, verdict.expiry);
        assertEq(found.recordedAt, block.timestamp);
        assertEq(found.blockNumber, verdict.blockNumber);
        assertEq(found.level, verdict.level);
        assertEq(found.kinds, kinds);
        assertEq(found.place, place);
        assertEq(found.signers, 3);
        assertEq(found.flags, 0);
        assertEq(bytes32(found.workload), bytes32(bytes16(w)));
        assertEq(bytes32(found.platform), bytes32(bytes16(p)));
    }

    /// it sets every signer's bit
    function test_record_whenMoreThanTheThresholdSign() public {
        Guest memory guest = _guest("a");
        IAttestationLog.Verdict memory verdict = _verdict(guest);
        attestations.record(verdict, _signatures(verdict, 3));
        assertEq(attestations.recordOf(policyId, guest.nodeId).signers, 7);
    }

    /// it replaces the record
    function test_record_whenTheBlockIsHigher() public {
        Guest memory guest = _guest("a");
        _record(guest);
        _later(10);
        _record(guest);
        assertEq(attestations.recordOf(policyId, guest.nodeId).blockNumber, block.number - 1);
    }

    /// it keeps the longest gap there was, in whole minutes
    function test_record_whenTheGapsDiffer() public {
        _spaced("a", 59, 0);
        _spaced("a", 3 * 60 + 59, 3);
        _spaced("a", 60, 3);
        _spaced("a", 4 * 60, 4);
        assertEq(_gapOf("b"), 0);
    }

    /// it says 65535 minutes of any longer gap
    function test_record_whenTheGapIsLongerThanCanBeSaid() public {
        _spaced("a", 65534 * 60, 65534);
        _spaced("a", 65535 * 60, 65535);
        _spaced("a", 65536 * 60, 65535);
        _spaced("b", 200000 * 60, 65535);
        _spaced("b", 60, 65535);
    }

    /// it leaves the gap as it was
    function test_record_whenItIsDatedBeforeTheLastOne() public {
        _spaced("a", 120, 2);
        _later(30);
        IAttestationLog.Verdict memory verdict = _verdict(_guest("a"));
        verdict.asOf -= CHALLENGE_AGE;
        verdict.expiry = verdict.asOf + MAXIMUM_AGE;
        _submit(verdict);
        IAttestationLog.Record memory found = attestations.recordOf(policyId, verdict.nodeId);
        assertEq(found.gap, 2);
        assertEq(found.asOf, verdict.asOf);
        assertEq(found.expiry, verdict.expiry);
        assertEq(found.recordedAt, block.timestamp);
    }

    /// it reverts PolicyNotInForce
    function test_record_whenThePolicyIsUnknownOrWithdrawn() public {
        IAttestationLog.Verdict memory verdict = _verdict(_guest("a"));
        verdict.policyId = "none";
        _refused(verdict, abi.encodeWithSelector(IAttestationLog.PolicyNotInForce.selector, bytes32("none")));
        vm.prank(owner);
        policies.withdraw(policyId);
        verdict.policyId = policyId;
        _refused(verdict, abi.encodeWithSelector(IAttestationLog.PolicyNotInForce.selector, policyId));
    }

    /// it reverts NodeIsWithdrawn
    function test_record_whenTheNodeIsWithdrawn() public {
        IAttestationLog.Verdict memory verdict = _verdict(_guest("a"));
        vm.prank(owner);
        attestations.withdraw(policyId, verdict.nodeId);
        bytes4 selector = IAttestationLog.NodeIsWithdrawn.selector;
        _refused(verdict, abi.encodeWithSelector(selector, policyId, verdict.nodeId));
    }

    /// it reverts BlockHashMismatch
    function test_record_whenTheBlockHashIsAnother() public {
        IAttestationLog.Verdict memory verdict = _verdict(_guest("a"));
        bytes32 expected = verdict.blockHash;
        verdict.blockHash = "other";
        bytes4 selector = IAttestationLog.BlockHashMismatch.selector;
        _refused(verdict, abi.encodeWithSelector(selector, verdict.blockNumber, expected, bytes32("other")));
    }

    /// it reverts BlockHashMismatch, as the hash is zero there
    function test_record_whenTheBlockIsThisOneOrAhead() public {
        IAttestationLog.Verdict memory verdict = _verdict(_guest("a"));
        (verdict.blockNumber, verdict.blockHash) = (uint40(block.number + 1), 0);
        bytes4 selector = IAttestationLog.BlockHashMismatch.selector;
        _refused(verdict, abi.encodeWithSelector(selector, verdict.blockNumber, bytes32(0), bytes32(0)));
    }

    /// it reverts BlockNotHigher
    function test_record_whenTheBlockIsNotHigher() public {
        IAttestationLog.Verdict memory verdict = _verdict(_guest("a"));
        _submit(verdict);
        bytes4 selector = IAttestationLog.BlockNotHigher.selector;
        _refused(verdict, abi.encodeWithSelector(selector, verdict.blockNumber, verdict.blockNumber));
    }

    /// it reverts AsOfAhead
    function test_record_whenTheChallengeIsAhead() public {
        IAttestationLog.Verdict memory verdict = _verdict(_guest("a"));
        verdict.asOf += 1;
        _refused(verdict, abi.encodeWithSelector(IAttestationLog.AsOfAhead.selector, verdict.asOf, _now()));
    }

    /// it reverts ChallengeTooOld
    function test_record_whenTheChallengeIsOlderThanThePolicyAllows() public {
        IAttestationLog.Verdict memory verdict = _verdict(_guest("a"));
        verdict.asOf -= CHALLENGE_AGE + 1;
        bytes4 selector = IAttestationLog.ChallengeTooOld.selector;
        _refused(verdict, abi.encodeWithSelector(selector, verdict.asOf, _now(), CHALLENGE_AGE));
    }

    /// it reverts ExpiryBeyondCap
    function test_record_whenItExpiresBeyondTheMaximumAge() public {
        IAttestationLog.Verdict memory verdict = _verdict(_guest("a"));
        verdict.expiry += 1;
        bytes4 selector = IAttestationLog.ExpiryBeyondCap.selector;
        _refused(verdict, abi.encodeWithSelector(selector, verdict.expiry, verdict.expiry - 1));
    }

    /// it reverts AlreadyExpired
    function test_record_whenItIsExpired() public {
        IAttestationLog.Verdict memory verdict = _verdict(_guest("a"));
        verdict.expiry = _now();
        _refused(verdict, abi.encodeWithSelector(IAttestationLog.AlreadyExpired.selector, _now(), _now()));
    }

    /// it reverts LevelBelowPolicy
    function test_record_whenTheLevelIsBelowThePolicys() public {
        IAttestationLog.Verdict memory verdict = _verdict(_guest("a"));
        verdict.level = 0;
        _refused(verdict, abi.encodeWithSelector(IAttestationLog.LevelBelowPolicy.selector, 0, 1));
    }

    /// it reverts IsRecalled
    function test_record_whenTheWorkloadIsRecalled() public {
        IAttestationLog.Verdict memory verdict = _verdict(_guest("a"));
        vm.prank(owner);
        policies.recall(DOMAIN, bytes16(verdict.workload));
        bytes4 selector = IAttestationLog.IsRecalled.selector;
        _refused(verdict, abi.encodeWithSelector(selector, policyId, bytes16(verdict.workload)));
    }

    /// it reverts IsBurnt
    function test_record_whenThePlatformIsBurnt() public {
        IAttestationLog.Verdict memory verdict = _verdict(_guest("a"));
        vm.prank(owner);
        policies.burn(DOMAIN, bytes16(verdict.platform));
        bytes4 selector = IAttestationLog.IsBurnt.selector;
        _refused(verdict, abi.encodeWithSelector(selector, policyId, bytes16(verdict.platform)));
    }

    /// it reverts BelowThreshold
    function test_record_whenTooFewSign() public {
        IAttestationLog.Verdict memory verdict = _verdict(_guest("a"));
        bytes[] memory signatures = _signatures(verdict, 1);
        _refused(verdict, signatures, abi.encodeWithSelector(IAttestationLog.BelowThreshold.selector, 1, 2));
    }

    /// it reverts DuplicateSigner
    function test_record_whenOneSignsTwice() public {
        IAttestationLog.Verdict memory verdict = _verdict(_guest("a"));
        bytes[] memory signatures = _signatures(verdict, 2);
        signatures[1] = signatures[0];
        address signer = vm.addr(judges[0]);
        _refused(verdict, signatures, abi.encodeWithSelector(IAttestationLog.DuplicateSigner.selector, signer));
    }

    /// it reverts NotVerifier
    function test_record_whenAStrangerSigns() public {
        IAttestationLog.Verdict memory verdict = _verdict(_guest("a"));
        bytes[] memory signatures = _signatures(verdict, 2);
        signatures[1] = _signature(_key("stranger"), attestations.digestOf(verdict));
        bytes4 selector = IAttestationLog.NotVerifier.selector;
        _refused(verdict, signatures, abi.encodeWithSelector(selector, policyId, stranger));
    }

    /// it reverts VerifierIsWithdrawn
    function test_record_whenAWithdrawnVerifierSigns() public {
        IAttestationLog.Verdict memory verdict = _verdict(_guest("a"));
        address verifier = vm.addr(judges[1]);
        vm.prank(owner);
        policies.withdrawVerifier(policyId, verifier);
        bytes4 selector = IAttestationLog.VerifierIsWithdrawn.selector;
        _refused(verdict, abi.encodeWithSelector(selector, policyId, verifier));
    }

    /// it reverts with the errors of ECDSA: wrong length, high s, no point
    function test_record_whenASignatureIsMalformed() public {
        IAttestationLog.Verdict memory verdict = _verdict(_guest("a"));
        bytes[] memory signatures = _signatures(verdict, 2);
        signatures[1] = hex"00";
        _refused(verdict, signatures, abi.encodeWithSelector(ECDSA.ECDSAInvalidSignatureLength.selector, 1));
        signatures[1] = abi.encodePacked(bytes32("r"), type(uint256).max, uint8(27));
        bytes4 selector = ECDSA.ECDSAInvalidSignatureS.selector;
        _refused(verdict, signatures, abi.encodeWithSelector(selector, bytes32(type(uint256).max)));
        signatures[1] = new bytes(65);
        _refused(verdict, signatures, abi.encodeWithSelector(ECDSA.ECDSAInvalidSignature.selector));
    }

    /// it reverts NotVerifier, as another key is recovered: S6
    function test_record_whenTheVerdictWasForAnotherChainOrContract() public {
        IAttestationLog.Verdict memory verdict = _verdict(_guest("a"));
        AttestationLog another = new AttestationLog(policies);
        bytes[] memory signatures = _signatures(verdict, 2);
        vm.expectPartialRevert(IAttestationLog.NotVerifier.selector);
        another.record(verdict, signatures);
        vm.chainId(99);
        vm.expectPartialRevert(IAttestationLog.NotVerifier.selector);
        attestations.record(verdict, signatures);
    }

    /// it reverts NotVerifier whatever field was changed after signing: S6
    function testFuzz_record_forAnyChangedField(uint8 field, uint8 by) public {
        vm.assume(by != 0);
        Guest memory guest = _guest("a");
        IAttestationLog.Verdict memory verdict = _verdict(guest);
        bytes[] memory signatures = _signatures(verdict, 2);
        field %= 7;
        if (field == 0) verdict.nodeId ^= bytes32(uint256(by));
        if (field == 1) verdict.leaseNonce ^= bytes32(uint256(by));
        if (field == 2) verdict.evidence ^= bytes32(uint256(by));
        if (field == 3) verdict.workload ^= bytes32(uint256(by));
        if (field == 4) verdict.platform ^= bytes32(uint256(by));
        if (field == 5) verdict.kinds ^= by;
        if (field == 6) verdict.expiry -= by;
        vm.expectPartialRevert(IAttestationLog.NotVerifier.selector);
        attestations.record(verdict, signatures);
    }

    /// it no longer counts, for ever
    function test_withdraw() public {
        Guest memory guest = _guest("a");
        _record(guest);
        vm.expectEmit(address(attestations));
        emit IAttestationLog.NodeWithdrawn(policyId, guest.nodeId);
        vm.prank(owner);
        attestations.withdraw(policyId, guest.nodeId);
        _stands(guest, IAttestationLog.Standing.Withdrawn);
        bytes4 selector = IAttestationLog.NodeIsWithdrawn.selector;
        vm.expectRevert(abi.encodeWithSelector(selector, policyId, guest.nodeId));
        vm.prank(owner);
        attestations.withdraw(policyId, guest.nodeId);
    }

    /// it keeps its gap and all else
    function test_withdraw_givenAGap() public {
        _spaced("a", 600, 10);
        Guest memory guest = _guest("a");
        IAttestationLog.Record memory before = attestations.recordOf(policyId, guest.nodeId);
        vm.prank(owner);
        attestations.withdraw(policyId, guest.nodeId);
        before.flags = 1;
        IAttestationLog.Record memory found = attestations.recordOf(policyId, guest.nodeId);
        assertEq(keccak256(abi.encode(found)), keccak256(abi.encode(before)));
    }

    /// it has no record, and none can follow
    function test_withdraw_givenNoRecord() public {
        Guest memory guest = _guest("a");
        vm.prank(owner);
        attestations.withdraw(policyId, guest.nodeId);
        IAttestationLog.Record memory none;
        none.flags = 1;
        IAttestationLog.Record memory found = attestations.recordOf(policyId, guest.nodeId);
        assertEq(keccak256(abi.encode(found)), keccak256(abi.encode(none)));
        _stands(guest, IAttestationLog.Standing.NoRecord);
    }

    /// it reverts NotController
    function test_withdraw_whenTheCallerIsNotTheController() public {
        vm.expectRevert(abi.encodeWithSelector(IAttestationLog.NotController.selector, policyId, stranger));
        vm.prank(stranger);
        attestations.withdraw(policyId, "node");
    }

    /// it says NoRecord
    function test_standing_givenNoRecord() public view {
        _stands(_guest("a"), IAttestationLog.Standing.NoRecord);
    }

    /// it says PolicyNotInForce
    function test_standing_givenThePolicyIsWithdrawn() public {
        _record(_guest("a"));
        vm.prank(owner);
        policies.withdraw(policyId);
        _stands(_guest("a"), IAttestationLog.Standing.PolicyNotInForce);
    }

    /// it says Live to the last second before its expiry, and Expired from it on
    function test_standing_givenItExpires() public {
        Guest memory guest = _guest("a");
        _record(guest);
        vm.warp(block.timestamp + MAXIMUM_AGE - 1);
        _stands(guest, IAttestationLog.Standing.Live);
        vm.warp(block.timestamp + 1);
        _stands(guest, IAttestationLog.Standing.Expired);
    }

    /// it says TooFewVerifiers once fewer than the threshold of its signers are left
    function test_standing_givenASignerIsWithdrawn() public {
        Guest memory guest = _guest("a");
        _record(guest);
        (address another, address signer) = (vm.addr(judges[2]), vm.addr(judges[0]));
        vm.prank(owner);
        policies.withdrawVerifier(policyId, another);
        _stands(guest, IAttestationLog.Standing.Live);
        vm.prank(owner);
        policies.withdrawVerifier(policyId, signer);
        _stands(guest, IAttestationLog.Standing.TooFewVerifiers);
    }

    /// it says WorkloadRecalled
    function test_standing_givenTheWorkloadIsRecalled() public {
        Guest memory guest = _guest("a");
        _record(guest);
        vm.prank(owner);
        policies.recall(DOMAIN, bytes16(guest.workload));
        _stands(guest, IAttestationLog.Standing.WorkloadRecalled);
    }

    /// it says PlatformBurnt
    function test_standing_givenThePlatformIsBurnt() public {
        Guest memory guest = _guest("a");
        _record(guest);
        vm.prank(owner);
        policies.burn(DOMAIN, bytes16(guest.platform));
        _stands(guest, IAttestationLog.Standing.PlatformBurnt);
    }

    /// @dev Two records, the second `apart` seconds after the first; the gap after them.
    function _spaced(string memory name, uint256 apart, uint16 expected) private {
        _later(1);
        _record(_guest(name));
        _later(apart);
        _record(_guest(name));
        assertEq(_gapOf(name), expected);
    }

    function _gapOf(string memory name) private view returns (uint16) {
        return attestations.recordOf(policyId, _guest(name).nodeId).gap;
    }

    function _stands(Guest memory guest, IAttestationLog.Standing expected) private view {
        assertEq(uint8(attestations.standing(policyId, guest.nodeId, _now())), uint8(expected));
    }

    function _refused(IAttestationLog.Verdict memory verdict, bytes memory why) private {
        _refused(verdict, _signatures(verdict, 2), why);
    }

    function _refused(IAttestationLog.Verdict memory verdict, bytes[] memory signatures, bytes memory why) private {
        vm.expectRevert(why);
        attestations.record(verdict, signatures);
    }
}
