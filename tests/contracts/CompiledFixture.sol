// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {LicenceRegistry} from "contracts/LicenceRegistry.sol";
import {ModelRegistry} from "contracts/ModelRegistry.sol";
import {ReleaseLog} from "contracts/ReleaseLog.sol";
import {IAttestationLog} from "contracts/interfaces/IAttestationLog.sol";
import {ICompiledLicence} from "contracts/interfaces/ICompiledLicence.sol";
import {IModelRegistry} from "contracts/interfaces/IModelRegistry.sol";
import {IPolicyRegistry} from "contracts/interfaces/IPolicyRegistry.sol";
import {IWiring} from "contracts/interfaces/IWiring.sol";
import {Fixture} from "./Fixture.sol";
import {Licence as Rented} from "./RentedLicence.sol";
import {Licence as Sold} from "./SoldLicence.sol";

/// @title Two licences compiled from words, granted and accepted: one sold for ether, one rented for euros.
/// @dev The model registry comes from an account of its own, so that the model's id is the same in every test.
abstract contract CompiledFixture is Fixture {
    bytes32 internal constant MODEL = 0x04125f014f1cafb54c7ca6221b7710e08d5382ce8e95dba15af443e2cd4e4d8e;
    uint40 internal constant FOR_EVER = type(uint40).max;
    uint40 internal constant EVERY = 1 hours;
    uint40 internal constant LASTS = 30 days;
    uint256 internal constant FEE = 0.5 ether;
    uint256 internal constant PACK_PRICE = 0.1 ether;
    uint64 internal constant PACK = 1000;
    uint40 internal constant RENT_START = 1_800_057_600;
    uint40 internal constant RENT_END = RENT_START + 5 days;
    uint40 internal constant PERIOD = 2 days;
    uint40 internal constant NOTICE = 24 hours;
    uint16 internal constant SWITZERLAND = 756;
    uint32 internal constant TPM = 1 << 1;
    uint40 private constant _LIVES = 7 days;

    ICompiledLicence internal sold;
    ICompiledLicence internal rented;
    Guest internal node = _guest("node");

    function setUp() public virtual override {
        super.setUp();
        vm.prank(_account("registrar"));
        models = new ModelRegistry(policies);
        licences = new LicenceRegistry(models);
        releases = _wire();
        policyId = _publishLong("long");
        vm.prank(owner);
        modelId =
            models.registerWithVersion("bearing", SEAL, policyId, IModelRegistry.Finality.Safe, "file:///m", broker);
        assertEq(modelId, MODEL);
        sold = ICompiledLicence(address(new Sold(IWiring(address(releases)))));
        rented = ICompiledLicence(address(new Rented(IWiring(address(releases)))));
        _grant(address(sold));
        _grant(address(rented));
        vm.deal(licensee, 100 ether);
        vm.deal(stranger, 100 ether);
        vm.deal(owner, 1 ether);
    }

    function _wire() internal returns (ReleaseLog) {
        return new ReleaseLog(models, policies, attestations, licences);
    }

    /// @dev A policy whose records outlive what the licences ask for.
    function _publishLong(bytes32 document) internal returns (bytes32) {
        IPolicyRegistry.Enforced memory enforced = _enforced();
        enforced.maximumAge = uint32(_LIVES);
        vm.prank(owner);
        return policies.publish(enforced, document);
    }

    function _attested(uint32 kinds, uint16 place) internal view returns (IAttestationLog.Verdict memory verdict) {
        verdict = _verdict(node);
        (verdict.kinds, verdict.place) = (kinds, place);
        verdict.expiry = verdict.asOf + _LIVES;
    }

    function _attest() internal {
        _submit(_attested(TPM, SWITZERLAND));
    }

    function _buyOne() internal {
        uint32 turn = sold.standing().turn;
        vm.prank(licensee);
        sold.buy{value: PACK_PRICE}(turn, 1);
    }

    function _paid() internal {
        vm.prank(licensee);
        sold.pay{value: FEE}(0);
    }

    /// @dev The sold licence paid and activated now.
    function _sell() internal {
        _paid();
        vm.prank(licensee);
        sold.activate(1);
    }

    /// @dev The rented licence confirmed as paid and activated in the first second of its term.
    function _rent() internal {
        _later(RENT_START - block.timestamp);
        _confirm();
        vm.prank(licensee);
        rented.activate(1);
    }

    function _confirm() internal {
        _confirmAt(rented.standing().turn);
    }

    function _confirmAt(uint32 turn) internal {
        vm.prank(owner);
        rented.pay(turn);
    }

    function _suspend(ICompiledLicence which) internal {
        vm.prank(owner);
        which.suspend();
    }

    function _resume(ICompiledLicence which) internal {
        uint32 turn = which.standing().turn;
        vm.prank(owner);
        which.resume(turn);
    }

    function _notify() internal {
        vm.prank(owner);
        rented.notify();
    }

    function _revoke(ICompiledLicence which) internal {
        vm.prank(owner);
        which.revoke();
    }

    function _use(uint64 amount) internal {
        vm.prank(address(releases));
        sold.use(amount);
    }

    function _sellModelTo(address to) internal {
        address from = models.ownerOf(modelId);
        vm.prank(from);
        models.offerOwnership(modelId, to);
        vm.prank(to);
        models.acceptOwnership(modelId);
    }

    function _passTo(ICompiledLicence which, address to) internal {
        address from = licences.licenseeOf(address(which));
        vm.prank(from);
        licences.offerLicensee(address(which), to);
        vm.prank(to);
        licences.accept(address(which));
    }

    function _expectWrongState(ICompiledLicence.State state) internal {
        vm.expectRevert(abi.encodeWithSelector(ICompiledLicence.WrongState.selector, state));
    }

    function _expectNotLicensor(address caller) internal {
        vm.expectRevert(abi.encodeWithSelector(ICompiledLicence.NotLicensor.selector, modelId, caller));
    }

    function _expectNotLicensee(address caller) internal {
        vm.expectRevert(abi.encodeWithSelector(ICompiledLicence.NotLicensee.selector, caller));
    }

    function _expectMoved(ICompiledLicence which, bytes32 move, address by, ICompiledLicence.Standing memory after_)
        internal
    {
        vm.expectEmit(address(which));
        emit ICompiledLicence.Moved(modelId, move, by, after_);
    }

    function _stands(ICompiledLicence which, ICompiledLicence.State state) internal view {
        assertEq(uint256(which.standing().state), uint256(state));
    }

    function _saysAt(ICompiledLicence which, uint40 when, ICompiledLicence.Refusal expected) internal view {
        (bool allowed, uint8 reason) = which.permits(modelId, 1, node.nodeId, when);
        assertEq(reason, uint256(expected));
        assertTrue(allowed == (expected == ICompiledLicence.Refusal.None), "allowed");
    }

    function _says(ICompiledLicence which, ICompiledLicence.Refusal expected) internal view {
        _saysAt(which, _now(), expected);
    }
}
