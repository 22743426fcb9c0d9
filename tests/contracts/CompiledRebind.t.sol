// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {LicenceRegistry} from "contracts/LicenceRegistry.sol";
import {ModelRegistry} from "contracts/ModelRegistry.sol";
import {ReleaseLog} from "contracts/ReleaseLog.sol";
import {ICompiledLicence} from "contracts/interfaces/ICompiledLicence.sol";
import {IModelRegistry} from "contracts/interfaces/IModelRegistry.sol";
import {CompiledFixture} from "./CompiledFixture.sol";

contract CompiledRebindTest is CompiledFixture {
    ReleaseLog private _next;

    function setUp() public override {
        super.setUp();
        _next = _wire();
    }

    /// it moves once both parties asked for the same; term, seats and credit stay, and only the new log debits
    function test_rebind() public {
        _sell();
        _buyOne();
        _use(10);
        bytes32 before = keccak256(abi.encode(sold.standing(), sold.terms(), sold.remaining(), sold.seats()));
        vm.expectEmit(address(sold));
        emit ICompiledLicence.RebindProposed(owner, address(_next), modelId);
        _ask(owner, _next);
        _answersTo(releases);
        vm.expectEmit(address(sold));
        emit ICompiledLicence.RebindProposed(licensee, address(_next), modelId);
        vm.expectEmit(address(sold));
        emit ICompiledLicence.Rebound(modelId, address(_next));
        _ask(licensee, _next);
        _answersTo(_next);
        assertEq(keccak256(abi.encode(sold.standing(), sold.terms(), sold.remaining(), sold.seats())), before);
        vm.expectRevert(abi.encodeWithSelector(ICompiledLicence.NotReleaseLog.selector, address(releases)));
        _use(1);
        vm.prank(address(_next));
        sold.use(PACK - 10);
        vm.prank(address(_next));
        sold.credit(PACK);
        assertEq(sold.remaining(), PACK);
    }

    /// it moves whoever of them asked first
    function test_rebind_whenTheLicenseeAsksFirst() public {
        _ask(licensee, _next);
        _answersTo(releases);
        _ask(owner, _next);
        _answersTo(_next);
    }

    /// it changes nothing, however often one alone asks
    function test_rebind_whenOneAloneAsks() public {
        for (uint256 i = 0; i < 3; ++i) {
            _ask(owner, _next);
        }
        _answersTo(releases);
        _sell();
        _use(0);
    }

    /// it changes nothing until both want the same log and the same model
    function test_rebind_whenTheyAskForOtherThings() public {
        vm.prank(owner);
        bytes32 other = models.register("other");
        _ask(owner, _next);
        _askFor(licensee, _next, other);
        _answersTo(releases);
        _ask(licensee, releases);
        _answersTo(releases);
        _askFor(owner, _next, other);
        _ask(licensee, _next);
        _answersTo(releases);
        _askFor(licensee, _next, other);
        (address log, bytes32 bound) = sold.bound();
        assertEq(log, address(_next));
        assertEq(bound, other);
    }

    /// it permits the new model id and no longer the old one
    function test_rebind_givenAnotherModelId() public {
        vm.prank(owner);
        bytes32 other = models.registerWithVersion(
            "other", "other seal", policyId, IModelRegistry.Finality.Safe, "file:///o", broker
        );
        _sell();
        _attest();
        _askFor(owner, releases, other);
        _askFor(licensee, releases, other);
        _says(sold, ICompiledLicence.Refusal.OtherModel);
        modelId = other;
        _says(sold, ICompiledLicence.Refusal.None);
    }

    /// it reverts NotLicensee for who is no party
    function test_rebind_whenTheCallerIsNeither() public {
        _expectNotLicensee(stranger);
        _ask(stranger, _next);
    }

    /// it counts no proposal of who no longer owns the model
    function test_rebind_givenTheModelChangedHands() public {
        _ask(owner, _next);
        _sellModelTo(stranger);
        _ask(licensee, _next);
        _answersTo(releases);
        _expectNotLicensee(owner);
        _ask(owner, _next);
        _ask(stranger, _next);
        _answersTo(_next);
    }

    /// it counts no proposal of who no longer is the licensee
    function test_rebind_givenTheLicenceChangedHands() public {
        _ask(licensee, _next);
        _passTo(sold, stranger);
        _ask(owner, _next);
        _answersTo(releases);
        _ask(stranger, _next);
        _answersTo(_next);
    }

    /// it counts no proposal from before, though it leads back to where it was made
    function test_rebind_givenARebindSince() public {
        _ask(owner, _next);
        _sellModelTo(stranger);
        _ask(stranger, _next);
        _ask(licensee, _next);
        _answersTo(_next);
        _ask(stranger, releases);
        _ask(licensee, releases);
        _answersTo(releases);
        _sellModelTo(owner);
        _ask(licensee, _next);
        _answersTo(releases);
        _ask(owner, _next);
        _answersTo(_next);
    }

    /// it reverts NotLicensor when the model there is somebody else's
    function test_rebind_whenTheModelThereIsNotTheLicensors() public {
        (ReleaseLog log, bytes32 theirs) = _elsewhere(stranger);
        _askFor(owner, log, theirs);
        vm.expectRevert(abi.encodeWithSelector(ICompiledLicence.NotLicensor.selector, theirs, owner));
        _askFor(licensee, log, theirs);
        _answersTo(releases);
    }

    /// it reverts UnknownModel when there is none
    function test_rebind_whenTheModelThereIsUnknown() public {
        (ReleaseLog log,) = _elsewhere(owner);
        _ask(owner, log);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.UnknownModel.selector, modelId));
        _ask(licensee, log);
    }

    /// it reverts NotLicensee when the licence was not accepted there, and looks the roles up there once it was
    function test_rebind_whenTheLicenceRegistryIsAnother() public {
        (ReleaseLog log, bytes32 there) = _elsewhere(owner);
        _askFor(owner, log, there);
        _expectNotLicensee(licensee);
        _askFor(licensee, log, there);
        LicenceRegistry before = licences;
        licences = LicenceRegistry(address(log.LICENCES()));
        vm.prank(owner);
        licences.grant(address(sold), there, 1, licensee);
        vm.prank(licensee);
        licences.accept(address(sold));
        _askFor(licensee, log, there);
        vm.prank(licensee);
        before.offerLicensee(address(sold), stranger);
        vm.prank(stranger);
        before.accept(address(sold));
        _expectNotLicensee(stranger);
        vm.prank(stranger);
        sold.pay{value: FEE}(0);
        _paid();
    }

    /// it obeys the new owner, who draws what was paid, and no longer the old one
    function test_roles_givenTheModelChangedHands() public {
        _sell();
        _sellModelTo(stranger);
        _expectNotLicensor(owner);
        _suspend(sold);
        _expectNotLicensor(owner);
        _revoke(sold);
        _expectNotLicensor(owner);
        vm.prank(owner);
        sold.draw();
        vm.prank(stranger);
        sold.suspend();
        vm.prank(stranger);
        sold.resume(3);
        vm.prank(stranger);
        sold.draw();
        assertEq(stranger.balance, 100 ether + FEE);
        vm.prank(stranger);
        sold.revoke();
    }

    /// it lets the new owner confirm money and give notice, and no longer the old one
    function test_roles_givenTheRentedModelChangedHands() public {
        _sellModelTo(stranger);
        _expectNotLicensor(owner);
        _confirmAt(0);
        vm.prank(stranger);
        rented.pay(0);
        _later(RENT_START - block.timestamp);
        vm.prank(licensee);
        rented.activate(1);
        _expectNotLicensor(owner);
        _notify();
        vm.prank(stranger);
        rented.notify();
    }

    /// it takes what the old licensee paid and lets the new one use it, and no longer the old one
    function test_roles_givenTheLicenceChangedHands() public {
        _paid();
        _passTo(sold, stranger);
        _expectNotLicensee(licensee);
        vm.prank(licensee);
        sold.activate(1);
        vm.prank(stranger);
        sold.activate(1);
        _expectNotLicensee(licensee);
        vm.prank(licensee);
        sold.buy{value: PACK_PRICE}(2, 1);
        vm.prank(stranger);
        sold.buy{value: PACK_PRICE}(2, 1);
        assertEq(sold.remaining(), PACK);
    }

    /// it keeps obeying the holder while an offer was not accepted
    function test_roles_whenAnOfferIsOpen() public {
        vm.prank(owner);
        models.offerOwnership(modelId, stranger);
        vm.prank(licensee);
        licences.offerLicensee(address(sold), stranger);
        _expectNotLicensee(stranger);
        vm.prank(stranger);
        sold.pay{value: FEE}(0);
        _sell();
        _expectNotLicensor(stranger);
        vm.prank(stranger);
        sold.suspend();
        _suspend(sold);
    }

    /// @dev Other contracts throughout, with a model of `holder`.
    function _elsewhere(address holder) private returns (ReleaseLog log, bytes32 theirs) {
        ModelRegistry registry = new ModelRegistry(policies);
        log = new ReleaseLog(registry, policies, attestations, new LicenceRegistry(registry));
        vm.prank(holder);
        theirs = registry.register("bearing");
    }

    function _ask(address party, ReleaseLog log) private {
        _askFor(party, log, modelId);
    }

    function _askFor(address party, ReleaseLog log, bytes32 model) private {
        vm.prank(party);
        sold.rebind(address(log), model);
    }

    function _answersTo(ReleaseLog expected) private view {
        (address log, bytes32 bound) = sold.bound();
        assertEq(log, address(expected));
        assertEq(bound, modelId);
    }
}
