// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ICompiledLicence} from "contracts/interfaces/ICompiledLicence.sol";
import {ILicence} from "contracts/interfaces/ILicence.sol";
import {IWiring} from "contracts/interfaces/IWiring.sol";
import {CompiledFixture} from "./CompiledFixture.sol";
import {Licence as Rented} from "./RentedLicence.sol";
import {Licence as Sold} from "./SoldLicence.sol";

/// @title What licences cost to ask and to move, every slot cold; callers give them stipends.
contract CompiledGasTest is CompiledFixture {
    uint256 private constant CALL_GAS = 100_000;
    uint256 private constant VIEW_GAS = 30_000;

    error BeyondBound(string what, uint256 gas, uint256 bound);

    function setUp() public override {
        super.setUp();
        _sell();
        _attest();
    }

    /// it answers within the stipend for one policy
    function test_permits_givenOnePolicy() public {
        bytes memory asked = abi.encodeCall(ILicence.permits, (modelId, 1, node.nodeId, _now()));
        _within("permits", sold, address(this), asked, CALL_GAS * 3 / 4);
    }

    /// it answers within the stipend for two policies, of which the second counts
    function test_permits_givenTwoPolicies() public {
        (bytes32 first, bytes32 second) = (policyId, _publishLong("second"));
        vm.prank(owner);
        models.nameNextPolicy(modelId, 1, second, _now() + 1000);
        policyId = second;
        _attest();
        _later(12);
        policyId = first;
        _submit(_attested(TPM, 0));
        bytes memory asked = abi.encodeCall(ILicence.permits, (modelId, 1, node.nodeId, _now()));
        bytes memory answer = _within("permits under two policies", sold, address(this), asked, CALL_GAS * 3 / 4);
        (bool allowed,) = abi.decode(answer, (bool, uint8));
        assertTrue(allowed, "allowed");
    }

    /// it says its seats and its text within the stipend of who grants it
    function test_seats() public {
        _within("seats", sold, address(this), abi.encodeCall(ILicence.seats, ()), VIEW_GAS / 2);
        _within("text", sold, address(this), abi.encodeCall(ILicence.text, ()), VIEW_GAS / 2);
    }

    /// it debits and credits within the stipend
    function test_use() public {
        _buyOne();
        _within("use", sold, address(releases), abi.encodeCall(ILicence.use, (10)), CALL_GAS / 2);
        _within("credit", sold, address(releases), abi.encodeCall(ILicence.credit, (10)), CALL_GAS / 2);
        _within("use without packs", rented, address(releases), abi.encodeCall(ILicence.use, (10)), CALL_GAS / 2);
    }

    /// it moves for what a party can afford
    function test_moves() public {
        _within("suspend", sold, owner, abi.encodeCall(ICompiledLicence.suspend, ()), 60_000);
        _within("resume", sold, owner, abi.encodeCall(ICompiledLicence.resume, (3)), 60_000);
        _within("draw", sold, owner, abi.encodeCall(ICompiledLicence.draw, ()), 60_000);
        _within("revoke", sold, owner, abi.encodeCall(ICompiledLicence.revoke, ()), 60_000);
    }

    /// it is paid, activated and sold in packs for what a licensee can afford
    function test_moves_whenTheyAreTheLicensees() public {
        sold = ICompiledLicence(address(new Sold(IWiring(address(releases)))));
        _grant(address(sold));
        _payable("pay", abi.encodeCall(ICompiledLicence.pay, (0)), FEE);
        _within("activate", sold, licensee, abi.encodeCall(ICompiledLicence.activate, (1)), 60_000);
        _payable("buy", abi.encodeCall(ICompiledLicence.buy, (2, 1)), PACK_PRICE);
        _payable("buy again", abi.encodeCall(ICompiledLicence.buy, (3, 1)), PACK_PRICE);
    }

    /// it is made for what a licensor can afford, and its code fits
    function test_constructor() public {
        IWiring wiring = IWiring(address(releases));
        uint256 before = gasleft();
        address made = address(new Sold(wiring));
        _bound("deploy sold", before - gasleft(), 3_000_000);
        _bound("code of sold", made.code.length, 24_576);
        before = gasleft();
        made = address(new Rented(wiring));
        _bound("deploy rented", before - gasleft(), 3_000_000);
        _bound("code of rented", made.code.length, 24_576);
    }

    function _payable(string memory what, bytes memory call, uint256 value) private {
        _cool();
        vm.prank(licensee);
        uint256 before = gasleft();
        (bool ok,) = address(sold).call{value: value}(call);
        _bound(what, before - gasleft(), 100_000);
        assertTrue(ok, what);
    }

    function _within(string memory what, ICompiledLicence which, address caller, bytes memory call, uint256 bound)
        private
        returns (bytes memory answer)
    {
        _cool();
        vm.prank(caller);
        uint256 before = gasleft();
        bool ok;
        (ok, answer) = address(which).call{gas: CALL_GAS}(call);
        _bound(what, before - gasleft(), bound);
        assertTrue(ok, what);
    }

    function _cool() private {
        vm.cool(address(sold));
        vm.cool(address(rented));
        vm.cool(address(releases));
        vm.cool(address(models));
        vm.cool(address(licences));
        vm.cool(address(attestations));
        vm.cool(address(policies));
    }

    function _bound(string memory what, uint256 gas, uint256 bound) private pure {
        if (gas > bound) revert BeyondBound(what, gas, bound);
    }
}
