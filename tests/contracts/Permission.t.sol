// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {BoundedCall} from "contracts/BoundedCall.sol";
import {IModelRegistry} from "contracts/interfaces/IModelRegistry.sol";
import {IReleaseLog} from "contracts/interfaces/IReleaseLog.sol";
import {TermLicence} from "contracts/licence/TermLicence.sol";
import {Fixture} from "./Fixture.sol";
import {ContractLicensee, OddLicence} from "./Licences.sol";

contract PermissionTest is Fixture {
    Guest private _node;

    function setUp() public override {
        super.setUp();
        _node = _guest("a");
        _record(_node);
        vm.prank(licensee);
        releases.authorise(address(licence), _node.nodeId);
    }

    /// it permits
    function test_permits() public view {
        _says(IReleaseLog.Reason.None);
    }

    /// it says Model
    function test_permits_givenTheModelIsUnknownOrRetired() public {
        (bool allowed, IReleaseLog.Reason reason) =
            releases.permits("none", 1, _node.nodeId, address(licence), _now());
        assertTrue(!allowed && reason == IReleaseLog.Reason.Model, "unknown");
        vm.prank(owner);
        models.retire(modelId, 0);
        _says(IReleaseLog.Reason.Model);
    }

    /// it says Version
    function test_permits_givenTheVersionIsWithdrawn() public {
        vm.prank(owner);
        models.withdrawVersion(modelId, 1);
        _says(IReleaseLog.Reason.Version);
    }

    /// it says Policy
    function test_permits_givenThePolicyIsWithdrawn() public {
        vm.prank(owner);
        policies.withdraw(policyId);
        _says(IReleaseLog.Reason.Policy);
    }

    /// it permits under either until the start, and under the next alone from it on
    function test_permits_givenANextPolicy() public {
        bytes32 next = _publish("next");
        uint40 start = _now() + 100;
        vm.prank(owner);
        models.nameNextPolicy(modelId, 1, next, start);
        _says(start - 1, IReleaseLog.Reason.None);
        _says(start, IReleaseLog.Reason.NoRecord);
        policyId = next;
        _record(_node);
        _says(start - 1, IReleaseLog.Reason.None);
        _says(start, IReleaseLog.Reason.None);
        vm.prank(owner);
        attestations.withdraw(next, _node.nodeId);
        _says(start - 1, IReleaseLog.Reason.None);
        _says(start, IReleaseLog.Reason.Withdrawn);
    }

    /// it says Licence
    function test_permits_givenTheLicenceDoesNotCover() public {
        TermLicence other = new TermLicence(_draft(1));
        _saysUnder(address(other), IReleaseLog.Reason.Licence);
        vm.prank(owner);
        licences.grant(address(other), modelId, 2, licensee);
        _saysUnder(address(other), IReleaseLog.Reason.Licence);
        vm.prank(licensee);
        licences.accept(address(other));
        _saysUnder(address(other), IReleaseLog.Reason.Licence);
        vm.prank(owner);
        licence.suspend();
        _says(IReleaseLog.Reason.Licence);
    }

    /// it says Licence, and no more of the answer is read than two words
    function test_permits_givenTheLicenceFailsToAnswer() public {
        OddLicence odd = new OddLicence();
        _grant(address(odd));
        vm.prank(licensee);
        releases.authorise(address(odd), _node.nodeId);
        _saysUnder(address(odd), IReleaseLog.Reason.None);
        OddLicence.Mood fine = OddLicence.Mood.Answers;
        for (uint8 mood = 1; mood < 7; ++mood) {
            // A return bomb is an answer: more words than two cost its author, not the caller.
            bool bombs = OddLicence.Mood(mood) == OddLicence.Mood.Bombs;
            odd.feel(OddLicence.Mood(mood), fine, fine, fine);
            uint256 before = gasleft();
            _saysUnder(address(odd), bombs ? IReleaseLog.Reason.None : IReleaseLog.Reason.Licence);
            assertTrue(before - gasleft() < 250_000, "bounded");
        }
    }

    /// it reverts StipendTooSmall, so that nobody makes a yes a no by giving too little gas
    function test_permits_whenTheGasDoesNotCoverTheStipend() public {
        for (uint256 gas = 60_000; gas < 190_000; gas += 2_000) {
            try releases.permits{gas: gas}(modelId, 1, _node.nodeId, address(licence), _now()) returns (
                bool allowed, IReleaseLog.Reason
            ) {
                assertTrue(allowed, "refused for want of gas");
            } catch (bytes memory why) {
                bool typed = why.length == 0 || bytes4(why) == BoundedCall.StipendTooSmall.selector;
                assertTrue(typed, "error");
            }
        }
        vm.expectPartialRevert(BoundedCall.StipendTooSmall.selector);
        releases.permits{gas: 104_000}(modelId, 1, _node.nodeId, address(licence), _now());
    }

    /// it says Node
    function test_permits_givenTheNodeIsNotAuthorised() public {
        vm.prank(licensee);
        releases.revokeNode(address(licence), _node.nodeId);
        _says(IReleaseLog.Reason.Node);
    }

    /// it says Node: authorisations end with the licensee's role
    function test_permits_givenTheLicenseeMoved() public {
        vm.prank(licensee);
        licences.offerLicensee(address(licence), stranger);
        _says(IReleaseLog.Reason.None);
        vm.prank(stranger);
        licences.accept(address(licence));
        _says(IReleaseLog.Reason.Node);
        vm.prank(stranger);
        releases.authorise(address(licence), _node.nodeId);
        _says(IReleaseLog.Reason.None);
    }

    /// it says Stopped
    function test_permits_givenTheGuestStopped() public {
        _request(_node);
        _end(_node, _subject(_node));
        _says(IReleaseLog.Reason.Stopped);
    }

    /// it says NoRecord
    function test_permits_givenNoRecord() public {
        Guest memory other = _guest("b");
        vm.prank(licensee);
        releases.authorise(address(licence), other.nodeId);
        (, IReleaseLog.Reason reason) = releases.permits(modelId, 1, other.nodeId, address(licence), _now());
        assertEq(uint8(reason), uint8(IReleaseLog.Reason.NoRecord));
    }

    /// it says Withdrawn
    function test_permits_givenTheNodeIsWithdrawn() public {
        vm.prank(owner);
        attestations.withdraw(policyId, _node.nodeId);
        _says(IReleaseLog.Reason.Withdrawn);
    }

    /// it says Expired from the expiry on
    function test_permits_givenTheRecordExpired() public view {
        _says(_now() + MAXIMUM_AGE - 1, IReleaseLog.Reason.None);
        _says(_now() + MAXIMUM_AGE, IReleaseLog.Reason.Expired);
    }

    /// it says Verifiers
    function test_permits_givenAVerifierIsWithdrawn() public {
        address verifier = vm.addr(judges[0]);
        vm.prank(owner);
        policies.withdrawVerifier(policyId, verifier);
        _says(IReleaseLog.Reason.Verifiers);
    }

    /// it says Workload
    function test_permits_givenTheWorkloadIsRecalled() public {
        vm.prank(owner);
        policies.recall(DOMAIN, bytes16(_node.workload));
        _says(IReleaseLog.Reason.Workload);
    }

    /// it says Platform
    function test_permits_givenThePlatformIsBurnt() public {
        vm.prank(owner);
        policies.burn(DOMAIN, bytes16(_node.platform));
        _says(IReleaseLog.Reason.Platform);
    }

    /// it says Policy unless the policy counts then
    function test_permitsUnder() public {
        _saysUnderPolicy(policyId, IReleaseLog.Reason.None);
        _saysUnderPolicy(0, IReleaseLog.Reason.Policy);
        _saysUnderPolicy(_publish("another"), IReleaseLog.Reason.Policy);
    }

    /// it lets an operator authorise
    function test_authorise() public {
        vm.prank(licensee);
        licences.setOperator(address(licence), stranger, true);
        vm.expectEmit(address(releases));
        emit IReleaseLog.NodeAuthorised(address(licence), "b", 0);
        vm.prank(stranger);
        releases.authorise(address(licence), "b");
        (bool authorised, bool stopped) = releases.nodeOf(address(licence), "b");
        assertTrue(authorised && !stopped, "authorised");
    }

    /// it reverts NotForLicensee: S10
    function test_authorise_whenTheCallerDoesNotActForTheLicensee() public {
        bytes4 selector = IReleaseLog.NotForLicensee.selector;
        vm.expectRevert(abi.encodeWithSelector(selector, address(licence), owner));
        vm.prank(owner);
        releases.authorise(address(licence), "b");
        vm.expectRevert(abi.encodeWithSelector(selector, address(licence), broker));
        vm.prank(broker);
        releases.revokeNode(address(licence), _node.nodeId);
    }

    /// it authorises by the licensee's signature, brought by anyone
    function test_authoriseBySignature() public {
        Guest memory other = _guest("b");
        (IReleaseLog.NodeGrant memory grant, bytes memory signature) =
            _nodeGrant(other, _now() + 1, _key("licensee"));
        vm.prank(stranger);
        releases.authoriseBySignature(grant, signature);
        (bool authorised,) = releases.nodeOf(address(licence), other.nodeId);
        assertTrue(authorised, "authorised");
    }

    /// it asks the contract by EIP-1271
    function test_authoriseBySignature_givenTheLicenseeIsAContract() public {
        Guest memory other = _guest("b");
        (IReleaseLog.NodeGrant memory grant,) = _nodeGrant(other, _now() + 1, 1);
        bytes32 kind = keccak256("NodeGrant(address licence,bytes32 nodeId,uint40 deadline)");
        ContractLicensee wallet = new ContractLicensee(_typed(keccak256(abi.encode(kind, grant))));
        vm.prank(licensee);
        licences.offerLicensee(address(licence), address(wallet));
        vm.prank(address(wallet));
        licences.accept(address(licence));
        releases.authoriseBySignature(grant, "");
        (bool authorised,) = releases.nodeOf(address(licence), other.nodeId);
        assertTrue(authorised, "authorised");
    }

    /// it reverts GrantExpired from the deadline on
    function test_authoriseBySignature_whenTheDeadlinePassed() public {
        (IReleaseLog.NodeGrant memory grant, bytes memory signature) =
            _nodeGrant(_guest("b"), _now(), _key("licensee"));
        vm.expectRevert(abi.encodeWithSelector(IReleaseLog.GrantExpired.selector, _now(), _now()));
        releases.authoriseBySignature(grant, signature);
    }

    /// it reverts BadGrantSignature: another signer, another node, nobody's licence
    function test_authoriseBySignature_whenTheLicenseeDidNotSignIt() public {
        bytes4 selector = IReleaseLog.BadGrantSignature.selector;
        (IReleaseLog.NodeGrant memory grant, bytes memory signature) =
            _nodeGrant(_guest("b"), _now() + 1, _key("stranger"));
        vm.expectRevert(abi.encodeWithSelector(selector, address(licence)));
        releases.authoriseBySignature(grant, signature);
        (grant, signature) = _nodeGrant(_guest("b"), _now() + 1, _key("licensee"));
        grant.nodeId = "c";
        vm.expectRevert(abi.encodeWithSelector(selector, address(licence)));
        releases.authoriseBySignature(grant, signature);
        grant.licence = stranger;
        vm.expectRevert(abi.encodeWithSelector(selector, stranger));
        releases.authoriseBySignature(grant, signature);
    }

    /// it reverts NodeIsRevoked: a signature given out before does not undo it, S10
    function test_authoriseBySignature_givenTheNodeWasRevoked() public {
        Guest memory other = _guest("b");
        (IReleaseLog.NodeGrant memory grant, bytes memory signature) =
            _nodeGrant(other, _now() + 1000, _key("licensee"));
        releases.authoriseBySignature(grant, signature);
        vm.expectEmit(address(releases));
        emit IReleaseLog.NodeRevoked(address(licence), other.nodeId);
        vm.prank(licensee);
        releases.revokeNode(address(licence), other.nodeId);
        bytes4 selector = IReleaseLog.NodeIsRevoked.selector;
        vm.expectRevert(abi.encodeWithSelector(selector, address(licence), other.nodeId));
        releases.authoriseBySignature(grant, signature);
        vm.prank(licensee);
        releases.authorise(address(licence), other.nodeId);
        (bool authorised,) = releases.nodeOf(address(licence), other.nodeId);
        assertTrue(authorised, "by a call");
    }

    /// it reverts NodeIsRevoked: a signature can be cancelled before its first use
    function test_revokeNode_whenTheNodeWasNotAuthorisedYet() public {
        Guest memory other = _guest("b");
        (IReleaseLog.NodeGrant memory grant, bytes memory signature) =
            _nodeGrant(other, _now() + 1000, _key("licensee"));
        vm.prank(licensee);
        releases.revokeNode(address(licence), other.nodeId);
        bytes4 selector = IReleaseLog.NodeIsRevoked.selector;
        vm.expectRevert(abi.encodeWithSelector(selector, address(licence), other.nodeId));
        releases.authoriseBySignature(grant, signature);
    }

    function _says(IReleaseLog.Reason expected) private view {
        _says(_now(), expected);
    }

    function _says(uint40 when, IReleaseLog.Reason expected) private view {
        (bool allowed, IReleaseLog.Reason reason) =
            releases.permits(modelId, 1, _node.nodeId, address(licence), when);
        assertEq(uint8(reason), uint8(expected));
        assertTrue(allowed == (expected == IReleaseLog.Reason.None), "allowed");
    }

    function _saysUnder(address other, IReleaseLog.Reason expected) private view {
        (, IReleaseLog.Reason reason) = releases.permits(modelId, 1, _node.nodeId, other, _now());
        assertEq(uint8(reason), uint8(expected));
    }

    function _saysUnderPolicy(bytes32 policy, IReleaseLog.Reason expected) private view {
        (bool allowed, IReleaseLog.Reason reason) =
            releases.permitsUnder(modelId, 1, policy, _node.nodeId, address(licence), _now());
        assertEq(uint8(reason), uint8(expected));
        assertTrue(allowed == (expected == IReleaseLog.Reason.None), "allowed");
    }
}
