// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IModelRegistry} from "contracts/interfaces/IModelRegistry.sol";
import {Fixture} from "./Fixture.sol";

contract ModelRegistryTest is Fixture {
    /// it is owned by the caller and has no version
    function test_register() public {
        bytes32 expected = keccak256(
            abi.encode("exequatur/v1/model", block.chainid, address(models), stranger, "other")
        );
        vm.expectEmit(address(models));
        emit IModelRegistry.ModelRegistered(expected, stranger, "other");
        vm.prank(stranger);
        assertEq(models.register("other"), expected);
        IModelRegistry.Model memory model = models.modelOf(expected);
        assertEq(model.owner, stranger);
        assertEq(model.versions, 0);
        assertEq(model.lowestServed, 1);
        (bool known, bool served,,) = models.servedAt(expected, 1, _now());
        assertTrue(known && !served, "served");
    }

    /// it reverts EmptyName
    function test_register_whenTheNameIsEmpty() public {
        vm.expectRevert(IModelRegistry.EmptyName.selector);
        models.register("");
    }

    /// it reverts AlreadyRegistered
    function test_register_whenTheOwnerUsedTheName() public {
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.AlreadyRegistered.selector, modelId));
        vm.prank(owner);
        models.register("bearing");
    }

    /// it gets another id
    function test_register_whenAnotherOwnerUsesTheName() public {
        vm.prank(stranger);
        assertTrue(models.register("bearing") != modelId, "id");
    }

    /// it has version one, its policy and its broker
    function test_registerWithVersion() public view {
        IModelRegistry.Version memory version = models.versionOf(modelId, 1);
        assertEq(version.sealId, SEAL);
        assertEq(models.sealOf(modelId, 1), SEAL);
        assertEq(version.policy, policyId);
        assertEq(version.nextStart, 0);
        assertTrue(version.finality == IModelRegistry.Finality.Safe, "finality");
        assertEq(models.brokerOf(modelId), broker);
        _serves(1, _now(), policyId, 0);
    }

    /// it numbers versions from one
    function test_addVersion() public {
        vm.expectEmit(address(models));
        emit IModelRegistry.VersionAdded(modelId, 2, "two", policyId, IModelRegistry.Finality.Final, "uri");
        vm.prank(owner);
        assertEq(models.addVersion(modelId, "two", policyId, IModelRegistry.Finality.Final, "uri"), 2);
        _serves(2, _now(), policyId, 0);
    }

    /// it reverts NotOwner
    function test_addVersion_whenTheCallerIsNotTheOwner() public {
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.NotOwner.selector, modelId, stranger));
        vm.prank(stranger);
        models.addVersion(modelId, "two", policyId, IModelRegistry.Finality.Safe, "");
    }

    /// it reverts EmptySeal
    function test_addVersion_whenTheSealIsZero() public {
        vm.expectRevert(IModelRegistry.EmptySeal.selector);
        vm.prank(owner);
        models.addVersion(modelId, 0, policyId, IModelRegistry.Finality.Safe, "");
    }

    /// it reverts PolicyNotInForce
    function test_addVersion_whenThePolicyIsUnknownOrWithdrawn() public {
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.PolicyNotInForce.selector, bytes32("none")));
        vm.prank(owner);
        models.addVersion(modelId, "two", "none", IModelRegistry.Finality.Safe, "");
        vm.prank(owner);
        policies.withdraw(policyId);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.PolicyNotInForce.selector, policyId));
        vm.prank(owner);
        models.addVersion(modelId, "two", policyId, IModelRegistry.Finality.Safe, "");
    }

    /// it reverts UnknownModel
    function test_addVersion_whenTheModelIsUnknown() public {
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.UnknownModel.selector, bytes32("none")));
        models.addVersion("none", "two", policyId, IModelRegistry.Finality.Safe, "");
    }

    /// it counts at once, beside the current one until its start, and alone from then on
    function test_nameNextPolicy() public {
        bytes32 next = _publish("next");
        uint40 start = _now() + 100;
        vm.expectEmit(address(models));
        emit IModelRegistry.NextPolicyNamed(modelId, 1, next, start);
        _nameNext(next, start);
        _serves(1, _now(), policyId, next);
        _serves(1, start - 1, policyId, next);
        _serves(1, start, next, 0);
    }

    /// it becomes the current policy first
    function test_nameNextPolicy_givenAnEarlierNextHasStarted() public {
        (bytes32 second, bytes32 third) = (_publish("second"), _publish("third"));
        _nameNext(second, _now() + 100);
        vm.warp(block.timestamp + 100);
        _nameNext(third, _now() + 100);
        _serves(1, _now(), second, third);
        _serves(1, _now() + 100, third, 0);
    }

    /// it is replaced
    function test_nameNextPolicy_givenAnEarlierNextHasNotStarted() public {
        (bytes32 second, bytes32 third) = (_publish("second"), _publish("third"));
        _nameNext(second, _now() + 100);
        _nameNext(third, _now() + 200);
        _serves(1, _now() + 199, policyId, third);
        _serves(1, _now() + 200, third, 0);
    }

    /// it reverts StartNotAhead
    function test_nameNextPolicy_whenTheStartIsNotAhead() public {
        bytes32 next = _publish("next");
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.StartNotAhead.selector, _now(), _now()));
        _nameNext(next, _now());
    }

    /// it reverts PolicyNotInForce
    function test_nameNextPolicy_whenThePolicyIsUnknown() public {
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.PolicyNotInForce.selector, bytes32("none")));
        _nameNext("none", _now() + 1);
    }

    /// it reverts UnknownVersion
    function test_nameNextPolicy_whenTheVersionIsUnknown() public {
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.UnknownVersion.selector, modelId, 2));
        vm.prank(owner);
        models.nameNextPolicy(modelId, 2, policyId, _now() + 1);
    }

    /// it names at most two policies, never one twice over time, whatever is asked and whenever
    function testFuzz_servedAt_forAnyMoment(uint40 start, uint40 when, uint32 version) public {
        bytes32 next = _publish("next");
        start = _now() + 1 + start % 1e6;
        _nameNext(next, start);
        (bool known, bool served, bytes32 first, bytes32 second) = models.servedAt(modelId, version, when);
        assertTrue(known, "known");
        assertTrue(served == (version == 1), "served");
        if (!served) return;
        assertEq(first, when < start ? policyId : next);
        assertEq(second, when < start ? next : bytes32(0));
    }

    /// it says neither known nor served
    function test_servedAt_whenTheModelIsUnknown() public view {
        (bool known, bool served,,) = models.servedAt("none", 1, _now());
        assertTrue(!known && !served, "served");
    }

    /// it is no longer served, for ever
    function test_withdrawVersion() public {
        vm.expectEmit(address(models));
        emit IModelRegistry.VersionWithdrawn(modelId, 1);
        vm.prank(owner);
        models.withdrawVersion(modelId, 1);
        _refuses(1, true);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.AlreadyWithdrawn.selector, modelId, 1));
        vm.prank(owner);
        models.withdrawVersion(modelId, 1);
    }

    /// it stops serving versions below
    function test_raiseLowestServed() public {
        vm.prank(owner);
        models.addVersion(modelId, "two", policyId, IModelRegistry.Finality.Safe, "");
        vm.expectEmit(address(models));
        emit IModelRegistry.LowestServedRaised(modelId, 2);
        vm.prank(owner);
        models.raiseLowestServed(modelId, 2);
        _refuses(1, true);
        _serves(2, _now(), policyId, 0);
    }

    /// it reverts NotRaised
    function test_raiseLowestServed_whenItIsNotHigher() public {
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.NotRaised.selector, modelId, 1, 1));
        vm.prank(owner);
        models.raiseLowestServed(modelId, 1);
    }

    /// it reverts UnknownVersion
    function test_raiseLowestServed_whenThereIsNoSuchVersion() public {
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.UnknownVersion.selector, modelId, 2));
        vm.prank(owner);
        models.raiseLowestServed(modelId, 2);
    }

    /// it is unknown to requests, names its successor and takes no more orders
    function test_retire() public {
        vm.expectEmit(address(models));
        emit IModelRegistry.ModelRetired(modelId, "successor");
        vm.prank(owner);
        models.retire(modelId, "successor");
        _refuses(1, false);
        assertEq(models.modelOf(modelId).successor, "successor");
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.AlreadyRetired.selector, modelId));
        vm.prank(owner);
        models.retire(modelId, 0);
    }

    /// it names the account that may release
    function test_setBroker() public {
        vm.expectEmit(address(models));
        emit IModelRegistry.BrokerSet(modelId, stranger);
        vm.prank(owner);
        models.setBroker(modelId, stranger);
        assertEq(models.brokerOf(modelId), stranger);
    }

    /// it moves when the other side accepts, not before
    function test_offerOwnership() public {
        vm.expectEmit(address(models));
        emit IModelRegistry.OwnershipOffered(modelId, owner, stranger);
        vm.prank(owner);
        models.offerOwnership(modelId, stranger);
        assertEq(models.ownerOf(modelId), owner);
        vm.expectEmit(address(models));
        emit IModelRegistry.OwnershipMoved(modelId, owner, stranger);
        vm.prank(stranger);
        models.acceptOwnership(modelId);
        assertEq(models.ownerOf(modelId), stranger);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.NotPendingOwner.selector, modelId, stranger));
        vm.prank(stranger);
        models.acceptOwnership(modelId);
    }

    /// it reverts NotPendingOwner
    function test_acceptOwnership_whenNotOfferedToTheCaller() public {
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.NotPendingOwner.selector, modelId, stranger));
        vm.prank(stranger);
        models.acceptOwnership(modelId);
    }

    function _nameNext(bytes32 policy, uint40 start) private {
        vm.prank(owner);
        models.nameNextPolicy(modelId, 1, policy, start);
    }

    function _serves(uint32 version, uint40 when, bytes32 first, bytes32 second) private view {
        (bool known, bool served, bytes32 one, bytes32 two) = models.servedAt(modelId, version, when);
        assertTrue(known && served, "served");
        assertEq(one, first);
        assertEq(two, second);
    }

    function _refuses(uint32 version, bool stillKnown) private view {
        (bool known, bool served,,) = models.servedAt(modelId, version, _now());
        assertTrue(known == stillKnown && (!known || !served), "served");
    }
}
