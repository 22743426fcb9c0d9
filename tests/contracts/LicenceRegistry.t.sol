// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IModelRegistry} from "contracts/interfaces/IModelRegistry.sol";
import {ILicenceRegistry} from "contracts/interfaces/ILicenceRegistry.sol";
import {TermLicence} from "contracts/licence/TermLicence.sol";
import {Fixture} from "./Fixture.sol";
import {OddLicence} from "./Licences.sol";

contract LicenceRegistryTest is Fixture {
    /// it is recorded and offered to the licensee, who has no rights yet
    function test_grant() public {
        TermLicence made = new TermLicence(_draft(5));
        vm.expectEmit(address(licences));
        emit ILicenceRegistry.LicenceGranted(address(made), modelId, licensee, 3, 5, TEXT);
        vm.prank(owner);
        licences.grant(address(made), modelId, 3, licensee);
        ILicenceRegistry.Grant memory found = licences.grantOf(address(made));
        assertEq(found.modelId, modelId);
        assertEq(found.licensee, address(0));
        assertEq(found.pendingLicensee, licensee);
        assertEq(found.lowestVersion, 3);
        assertTrue(!found.accepted && !licences.actsFor(address(made), licensee), "accepted");
        assertTrue(!licences.actsFor(address(made), address(0)), "nobody acts");
    }

    /// it reverts NotModelOwner
    function test_grant_whenTheCallerDoesNotOwnTheModel() public {
        TermLicence made = new TermLicence(_draft(5));
        vm.expectRevert(abi.encodeWithSelector(ILicenceRegistry.NotModelOwner.selector, modelId, stranger));
        vm.prank(stranger);
        licences.grant(address(made), modelId, 1, licensee);
    }

    /// it reverts UnknownModel
    function test_grant_whenTheModelIsUnknown() public {
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.UnknownModel.selector, bytes32("none")));
        licences.grant(address(licence), "none", 1, licensee);
    }

    /// it reverts AlreadyGranted
    function test_grant_whenGrantedTwice() public {
        vm.expectRevert(abi.encodeWithSelector(ILicenceRegistry.AlreadyGranted.selector, address(licence)));
        vm.prank(owner);
        licences.grant(address(licence), modelId, 1, licensee);
    }

    /// it reverts NotALicence
    function test_grant_whenItIsNoContractOrAnotherOne() public {
        address[3] memory wrong = [stranger, address(models), address(licences)];
        for (uint256 i = 0; i < 3; ++i) {
            vm.expectRevert(abi.encodeWithSelector(ILicenceRegistry.NotALicence.selector, wrong[i]));
            vm.prank(owner);
            licences.grant(wrong[i], modelId, 1, licensee);
        }
    }

    /// it reverts NotALicence, however it fails
    function test_grant_whenItsViewsFail() public {
        OddLicence odd = new OddLicence();
        OddLicence.Mood fine = OddLicence.Mood.Answers;
        OddLicence.Mood[2] memory moods = [OddLicence.Mood.Reverts, OddLicence.Mood.Burns];
        for (uint256 i = 0; i < 2; ++i) {
            odd.feel(fine, moods[i], fine, fine);
            vm.expectRevert(abi.encodeWithSelector(ILicenceRegistry.NotALicence.selector, address(odd)));
            vm.prank(owner);
            licences.grant(address(odd), modelId, 1, licensee);
        }
    }

    /// it has a licensee from now on
    function test_accept() public {
        TermLicence made = new TermLicence(_draft(5));
        vm.prank(owner);
        licences.grant(address(made), modelId, 1, licensee);
        vm.expectEmit(address(licences));
        emit ILicenceRegistry.LicenceAccepted(address(made), licensee);
        vm.prank(licensee);
        licences.accept(address(made));
        assertEq(licences.licenseeOf(address(made)), licensee);
        assertTrue(licences.actsFor(address(made), licensee), "acts");
    }

    /// it reverts NotPendingLicensee
    function test_accept_whenTheLicenceWasNotOfferedToTheCaller() public {
        bytes4 selector = ILicenceRegistry.NotPendingLicensee.selector;
        vm.expectRevert(abi.encodeWithSelector(selector, address(licence), stranger));
        vm.prank(stranger);
        licences.accept(address(licence));
    }

    /// it reverts UnknownLicence
    function test_accept_whenTheLicenceIsUnknown() public {
        vm.expectRevert(abi.encodeWithSelector(ILicenceRegistry.UnknownLicence.selector, stranger));
        licences.accept(stranger);
    }

    /// it moves when the other side accepts, and every operator loses its role
    function test_offerLicensee() public {
        address operator = _account("operator");
        vm.prank(licensee);
        licences.setOperator(address(licence), operator, true);
        vm.expectEmit(address(licences));
        emit ILicenceRegistry.LicenseeOffered(address(licence), licensee, stranger);
        vm.prank(licensee);
        licences.offerLicensee(address(licence), stranger);
        assertTrue(!licences.actsFor(address(licence), stranger), "not yet");
        vm.expectEmit(address(licences));
        emit ILicenceRegistry.LicenseeMoved(address(licence), licensee, stranger, 1);
        vm.prank(stranger);
        licences.accept(address(licence));
        assertEq(licences.licenseeOf(address(licence)), stranger);
        assertTrue(!licences.actsFor(address(licence), licensee), "former");
        assertTrue(!licences.actsFor(address(licence), operator), "operator");
    }

    /// it reverts NotLicensee
    function test_offerLicensee_whenTheCallerIsNotTheLicensee() public {
        vm.expectRevert(abi.encodeWithSelector(ILicenceRegistry.NotLicensee.selector, address(licence), owner));
        vm.prank(owner);
        licences.offerLicensee(address(licence), owner);
    }

    /// it appoints and dismisses
    function test_setOperator() public {
        vm.expectEmit(address(licences));
        emit ILicenceRegistry.OperatorSet(address(licence), stranger, true);
        vm.prank(licensee);
        licences.setOperator(address(licence), stranger, true);
        assertTrue(licences.actsFor(address(licence), stranger), "appointed");
        vm.prank(licensee);
        licences.setOperator(address(licence), stranger, false);
        assertTrue(!licences.actsFor(address(licence), stranger), "dismissed");
    }

    /// it reverts NotLicensee, for an operator as well
    function test_setOperator_whenTheCallerIsNotTheLicensee() public {
        vm.prank(licensee);
        licences.setOperator(address(licence), stranger, true);
        bytes4 selector = ILicenceRegistry.NotLicensee.selector;
        vm.expectRevert(abi.encodeWithSelector(selector, address(licence), stranger));
        vm.prank(stranger);
        licences.setOperator(address(licence), broker, true);
    }

    /// it reverts UnknownLicence
    function test_grantOf_whenTheLicenceIsUnknown() public {
        vm.expectRevert(abi.encodeWithSelector(ILicenceRegistry.UnknownLicence.selector, stranger));
        licences.grantOf(stranger);
    }

    /// it says a zero model
    function test_coverOf_whenTheLicenceIsUnknown() public view {
        (bytes32 covered,,, bool accepted) = licences.coverOf(stranger);
        assertTrue(covered == 0 && !accepted, "unknown");
    }
}
