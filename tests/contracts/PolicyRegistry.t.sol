// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IPolicyRegistry} from "contracts/interfaces/IPolicyRegistry.sol";
import {Fixture} from "./Fixture.sol";

contract PolicyRegistryTest is Fixture {
    bytes16 private constant PLATFORM = bytes16(keccak256("platform"));
    bytes16 private constant WORKLOAD = bytes16(keccak256("workload"));

    /// it stores the terms and emits PolicyPublished
    function test_publish() public {
        IPolicyRegistry.Enforced memory enforced = _enforced();
        bytes32 expected = keccak256(
            abi.encode("exequatur/v1/policy", block.chainid, address(policies), owner, enforced, bytes32("new"))
        );
        vm.expectEmit(address(policies));
        emit IPolicyRegistry.PolicyPublished(expected, owner, "new", enforced);
        bytes32 id = _publish("new");
        assertEq(id, expected);
        assertEq(policies.controllerOf(id), owner);
        IPolicyRegistry.Terms memory terms = policies.termsOf(id);
        assertEq(terms.verifiers, 3);
        assertEq(terms.threshold, 2);
        assertEq(terms.minimumLevel, 1);
        assertEq(terms.maximumAge, MAXIMUM_AGE);
        assertEq(terms.challengeAge, CHALLENGE_AGE);
        assertEq(terms.depth, 1);
        assertEq(terms.lease, LEASE);
        assertEq(terms.quota, QUOTA);
        assertEq(terms.withdrawnVerifiers, 0);
        assertTrue(terms.published && !terms.withdrawn, "in force");
    }

    /// it keeps each term apart, and gives each verifier its own bit
    function testFuzz_publish_forAnyTerms(
        uint8 count,
        uint8 threshold,
        uint8 level,
        uint32 challengeAge,
        uint32 lease,
        uint64 quota,
        uint16 depth,
        bytes32 domain
    ) public {
        IPolicyRegistry.Enforced memory enforced;
        enforced.verifiers = new address[](count % 32 + 1);
        for (uint256 i = 0; i < enforced.verifiers.length; ++i) {
            enforced.verifiers[i] = address(uint160(i + 1));
        }
        enforced.threshold = uint8(threshold % enforced.verifiers.length + 1);
        enforced.minimumLevel = level % 5;
        enforced.challengeAge = challengeAge % 1e9 + 1;
        enforced.lease = lease % 1e9 + 1;
        enforced.maximumAge = enforced.lease + enforced.challengeAge;
        enforced.quota = quota == 0 ? 1 : quota;
        enforced.depth = depth;
        enforced.burnDomain = domain;
        bytes32 id = policies.publish(enforced, 0);
        IPolicyRegistry.Terms memory terms = policies.termsOf(id);
        assertEq(terms.verifiers, enforced.verifiers.length);
        assertEq(terms.threshold, enforced.threshold);
        assertEq(terms.minimumLevel, enforced.minimumLevel);
        assertEq(terms.maximumAge, enforced.maximumAge);
        assertEq(terms.challengeAge, enforced.challengeAge);
        assertEq(terms.depth, depth);
        assertEq(terms.lease, enforced.lease);
        assertEq(terms.quota, enforced.quota);
        assertEq(terms.withdrawnVerifiers, 0);
        assertTrue(terms.published && !terms.withdrawn, "in force");
        for (uint256 i = 0; i < enforced.verifiers.length; ++i) {
            assertEq(policies.verifierBit(id, enforced.verifiers[i]), 1 << i);
        }
        assertEq(policies.verifierBit(id, stranger), 0);
    }

    /// it reverts AlreadyPublished
    function test_publish_whenTheSamePolicyIsPublishedTwice() public {
        IPolicyRegistry.Enforced memory enforced = _enforced();
        vm.expectRevert(abi.encodeWithSelector(IPolicyRegistry.AlreadyPublished.selector, policyId));
        vm.prank(owner);
        policies.publish(enforced, "document");
    }

    /// it gets another id: control is in the id
    function test_publish_whenAnotherControllerPublishesTheSame() public {
        IPolicyRegistry.Enforced memory enforced = _enforced();
        vm.prank(stranger);
        bytes32 id = policies.publish(enforced, "document");
        assertTrue(id != policyId, "id");
        assertEq(policies.controllerOf(id), stranger);
    }

    /// it reverts VerifierCount
    function test_publish_whenThereIsNoVerifier() public {
        IPolicyRegistry.Enforced memory enforced = _enforced();
        enforced.verifiers = new address[](0);
        _refused(enforced, abi.encodeWithSelector(IPolicyRegistry.VerifierCount.selector, 0));
    }

    /// it reverts VerifierCount
    function test_publish_whenThereAre33Verifiers() public {
        IPolicyRegistry.Enforced memory enforced = _enforced();
        enforced.verifiers = new address[](33);
        _refused(enforced, abi.encodeWithSelector(IPolicyRegistry.VerifierCount.selector, 33));
    }

    /// it reverts VerifiersNotAscending
    function test_publish_whenAVerifierIsNamedTwice() public {
        IPolicyRegistry.Enforced memory enforced = _enforced();
        enforced.verifiers[2] = enforced.verifiers[1];
        _refused(enforced, abi.encodeWithSelector(IPolicyRegistry.VerifiersNotAscending.selector, 2));
    }

    /// it reverts VerifiersNotAscending
    function test_publish_whenAVerifierIsTheZeroAddress() public {
        IPolicyRegistry.Enforced memory enforced = _enforced();
        enforced.verifiers[0] = address(0);
        _refused(enforced, abi.encodeWithSelector(IPolicyRegistry.VerifiersNotAscending.selector, 0));
    }

    /// it reverts ThresholdOutOfRange
    function test_publish_whenTheThresholdIsZero() public {
        IPolicyRegistry.Enforced memory enforced = _enforced();
        enforced.threshold = 0;
        _refused(enforced, abi.encodeWithSelector(IPolicyRegistry.ThresholdOutOfRange.selector, 0, 3));
    }

    /// it reverts ThresholdOutOfRange
    function test_publish_whenTheThresholdExceedsTheVerifiers() public {
        IPolicyRegistry.Enforced memory enforced = _enforced();
        enforced.threshold = 4;
        _refused(enforced, abi.encodeWithSelector(IPolicyRegistry.ThresholdOutOfRange.selector, 4, 3));
    }

    /// it reverts LevelOutOfRange
    function test_publish_whenTheLevelIsUnknown() public {
        IPolicyRegistry.Enforced memory enforced = _enforced();
        enforced.minimumLevel = 5;
        _refused(enforced, abi.encodeWithSelector(IPolicyRegistry.LevelOutOfRange.selector, 5));
    }

    /// it reverts ZeroTerm
    function test_publish_whenLeaseChallengeAgeOrQuotaIsZero() public {
        IPolicyRegistry.Enforced memory enforced = _enforced();
        (enforced.lease) = 0;
        _refused(enforced, abi.encodeWithSelector(IPolicyRegistry.ZeroTerm.selector));
        (enforced.lease, enforced.challengeAge) = (LEASE, 0);
        _refused(enforced, abi.encodeWithSelector(IPolicyRegistry.ZeroTerm.selector));
        (enforced.challengeAge, enforced.quota) = (CHALLENGE_AGE, 0);
        _refused(enforced, abi.encodeWithSelector(IPolicyRegistry.ZeroTerm.selector));
    }

    /// it reverts AgeBelowLease
    function test_publish_whenEvidenceWouldExpireBeforeTheLease() public {
        IPolicyRegistry.Enforced memory enforced = _enforced();
        enforced.maximumAge = LEASE + CHALLENGE_AGE - 1;
        bytes4 selector = IPolicyRegistry.AgeBelowLease.selector;
        _refused(enforced, abi.encodeWithSelector(selector, enforced.maximumAge, LEASE, CHALLENGE_AGE));
    }

    /// it is out of force, for ever
    function test_withdraw() public {
        vm.expectEmit(address(policies));
        emit IPolicyRegistry.PolicyWithdrawn(policyId);
        vm.prank(owner);
        policies.withdraw(policyId);
        assertTrue(policies.termsOf(policyId).withdrawn, "withdrawn");
        vm.expectRevert(abi.encodeWithSelector(IPolicyRegistry.AlreadyWithdrawn.selector, policyId));
        vm.prank(owner);
        policies.withdraw(policyId);
    }

    /// it reverts NotController
    function test_withdraw_whenTheCallerIsNotTheController() public {
        vm.expectRevert(abi.encodeWithSelector(IPolicyRegistry.NotController.selector, policyId, stranger));
        vm.prank(stranger);
        policies.withdraw(policyId);
    }

    /// it reverts UnknownPolicy
    function test_withdraw_whenThePolicyIsUnknown() public {
        vm.expectRevert(abi.encodeWithSelector(IPolicyRegistry.UnknownPolicy.selector, bytes32("none")));
        policies.withdraw("none");
    }

    /// it sets the verifier's bit and no other
    function test_withdrawVerifier() public {
        address verifier = vm.addr(judges[1]);
        vm.expectEmit(address(policies));
        emit IPolicyRegistry.VerifierWithdrawn(policyId, verifier, 1);
        vm.prank(owner);
        policies.withdrawVerifier(policyId, verifier);
        assertEq(policies.termsOf(policyId).withdrawnVerifiers, 2);
    }

    /// it reverts VerifierAlreadyWithdrawn
    function test_withdrawVerifier_whenWithdrawnTwice() public {
        address verifier = vm.addr(judges[1]);
        vm.prank(owner);
        policies.withdrawVerifier(policyId, verifier);
        vm.expectRevert(
            abi.encodeWithSelector(IPolicyRegistry.VerifierAlreadyWithdrawn.selector, policyId, verifier)
        );
        vm.prank(owner);
        policies.withdrawVerifier(policyId, verifier);
    }

    /// it reverts UnknownVerifier
    function test_withdrawVerifier_whenItIsNoneOfThePolicys() public {
        vm.expectRevert(abi.encodeWithSelector(IPolicyRegistry.UnknownVerifier.selector, policyId, stranger));
        vm.prank(owner);
        policies.withdrawVerifier(policyId, stranger);
    }

    /// it reverts NotController
    function test_withdrawVerifier_whenTheCallerIsNotTheController() public {
        address verifier = vm.addr(judges[1]);
        vm.expectRevert(abi.encodeWithSelector(IPolicyRegistry.NotController.selector, policyId, stranger));
        vm.prank(stranger);
        policies.withdrawVerifier(policyId, verifier);
    }

    /// it counts for every policy that names the domain, and outlives them
    function test_burn() public {
        bytes32 another = _publish("another");
        vm.expectEmit(address(policies));
        emit IPolicyRegistry.PlatformBurnt(policies.burnDomainOf(owner, DOMAIN), PLATFORM);
        vm.prank(owner);
        policies.burn(DOMAIN, PLATFORM);
        _takenBack(policyId, false, true);
        _takenBack(another, false, true);
        _takenBack(_publish("later"), false, true);
    }

    /// it reverts AlreadyBurnt
    function test_burn_whenBurntTwice() public {
        bytes32 domain = policies.burnDomainOf(owner, DOMAIN);
        vm.prank(owner);
        policies.burn(DOMAIN, PLATFORM);
        vm.expectRevert(abi.encodeWithSelector(IPolicyRegistry.AlreadyBurnt.selector, domain, PLATFORM));
        vm.prank(owner);
        policies.burn(DOMAIN, PLATFORM);
    }

    /// it touches only the caller's own domain of that name
    function test_burn_whenAStrangerUsesTheSameName() public {
        vm.prank(stranger);
        policies.burn(DOMAIN, PLATFORM);
        _takenBack(policyId, false, false);
    }

    /// it changes nothing for a policy without a domain
    function test_burn_whenThePolicyHasNoDomain() public {
        IPolicyRegistry.Enforced memory enforced = _enforced();
        enforced.burnDomain = 0;
        vm.prank(owner);
        bytes32 id = policies.publish(enforced, "document");
        vm.prank(owner);
        policies.burn(DOMAIN, PLATFORM);
        _takenBack(id, false, false);
    }

    /// it takes back exactly what was named, whatever else was taken back before
    function testFuzz_burn_forAnyPlatforms(bytes16[8] memory burnt, bytes16 asked) public {
        bool expected;
        for (uint256 i = 0; i < burnt.length; ++i) {
            if (!_isBurnt(burnt[i])) {
                vm.prank(owner);
                policies.burn(DOMAIN, burnt[i]);
            }
            expected = expected || burnt[i] == asked;
        }
        assertTrue(_isBurnt(asked) == expected, "burnt");
        assertTrue(_isBurnt(burnt[3]), "burnt");
        (bool recalled,) = policies.takenBack(policyId, burnt[3], 0);
        assertTrue(!recalled, "recalled");
    }

    /// it counts for every policy that names the domain
    function test_recall() public {
        vm.expectEmit(address(policies));
        emit IPolicyRegistry.WorkloadRecalled(policies.burnDomainOf(owner, DOMAIN), WORKLOAD);
        vm.prank(owner);
        policies.recall(DOMAIN, WORKLOAD);
        _takenBack(policyId, true, false);
    }

    /// it reverts AlreadyRecalled
    function test_recall_whenRecalledTwice() public {
        bytes32 domain = policies.burnDomainOf(owner, DOMAIN);
        vm.prank(owner);
        policies.recall(DOMAIN, WORKLOAD);
        vm.expectRevert(abi.encodeWithSelector(IPolicyRegistry.AlreadyRecalled.selector, domain, WORKLOAD));
        vm.prank(owner);
        policies.recall(DOMAIN, WORKLOAD);
    }

    function _refused(IPolicyRegistry.Enforced memory enforced, bytes memory why) private {
        vm.expectRevert(why);
        vm.prank(owner);
        policies.publish(enforced, "another");
    }

    function _isBurnt(bytes16 platform) private view returns (bool burnt) {
        (, burnt) = policies.takenBack(policyId, 0, platform);
    }

    function _takenBack(bytes32 id, bool recalled, bool burnt) private view {
        (bool isRecalled, bool isBurnt) = policies.takenBack(id, WORKLOAD, PLATFORM);
        assertTrue(isRecalled == recalled && isBurnt == burnt, "taken back");
    }
}
