// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ICompiledLicence} from "contracts/interfaces/ICompiledLicence.sol";
import {IReleaseLog} from "contracts/interfaces/IReleaseLog.sol";
import {CompiledFixture} from "./CompiledFixture.sol";
import {GreedyOwner} from "./RudeParties.sol";

/// @title What the release log makes of a compiled licence.
contract CompiledReleaseTest is CompiledFixture {
    /// it debits what it releases ahead, and credits what the node did not answer
    function test_release() public {
        _sell();
        _buyOne();
        IReleaseLog.Subject memory subject = _ask();
        _release(subject, 0, 60);
        assertEq(sold.remaining(), PACK - 60);
        _anchor(node, subject, 1, 25, true);
        assertEq(sold.remaining(), PACK - 25);
    }

    /// it reverts UseFailed and releases nothing when too few answers are left
    function test_release_whenTheAnswersDoNotSuffice() public {
        _sell();
        IReleaseLog.Subject memory subject = _ask();
        vm.expectRevert(abi.encodeWithSelector(IReleaseLog.UseFailed.selector, address(sold), 1));
        _release(subject, 0, 1);
        _buyOne();
        _use(PACK - 10);
        vm.expectRevert(abi.encodeWithSelector(IReleaseLog.UseFailed.selector, address(sold), 11));
        _release(subject, 0, 11);
        _release(subject, 0, 10);
        assertEq(sold.remaining(), 0);
    }

    /// it reverts SeatOutOfRange beyond the seats said
    function test_release_whenTheSeatsAreTaken() public {
        _sell();
        _buyOne();
        IReleaseLog.Subject memory subject = _ask();
        vm.expectRevert(abi.encodeWithSelector(IReleaseLog.SeatOutOfRange.selector, 2, 2));
        _release(subject, 2, 1);
        _release(subject, 1, 1);
        node = _guest("second");
        subject = _ask();
        vm.expectPartialRevert(IReleaseLog.SeatTaken.selector);
        _release(subject, 1, 1);
        _release(subject, 0, 1);
    }

    /// it passes on why the licence refuses, before activation, when suspended and for the place of a node
    function test_release_whenTheLicenceRefuses() public {
        _attest();
        _refuses(ICompiledLicence.Refusal.NotActivated);
        _requestFor();
        _sell();
        _submitElsewhere();
        _refuses(ICompiledLicence.Refusal.Place);
        _requestFor();
        _suspend(sold);
        _refuses(ICompiledLicence.Refusal.Suspended);
        _requestFor();
        _revoke(sold);
        _refuses(ICompiledLicence.Refusal.Revoked);
        _requestFor();
    }

    /// it reverts for a lease that outlasts the licence by a second
    function test_release_whenTheLeaseOutlastsTheTerm() public {
        _sell();
        _buyOne();
        _later(LASTS - LEASE + 1);
        IReleaseLog.Subject memory subject = _ask();
        _refuses(ICompiledLicence.Refusal.Ended);
        _release(subject, 0, 1);
        vm.prank(broker);
        releases.releaseKey(subject, 0, LEASE - 1, 1, ENVELOPE);
    }

    /// it releases nothing while the licence pays its owner, who is the broker
    function test_release_whenTheOwnerReleasesWhileItIsPaid() public {
        _sell();
        _buyOne();
        IReleaseLog.Subject memory subject = _ask();
        GreedyOwner greedy = new GreedyOwner(sold);
        vm.prank(owner);
        models.setBroker(modelId, address(greedy));
        vm.prank(owner);
        models.offerOwnership(modelId, address(greedy));
        greedy.take(models, modelId);
        bytes memory inner = abi.encodeCall(IReleaseLog.releaseKey, (subject, 0, LEASE, 10, ENVELOPE));
        greedy.drawAnd(address(releases), inner);
        assertTrue(!greedy.passed(), "released");
        assertEq(keccak256(greedy.answer()), keccak256(_refusal(ICompiledLicence.Refusal.Busy)));
        assertEq(sold.remaining(), PACK);
    }

    function _ask() private returns (IReleaseLog.Subject memory subject) {
        _attest();
        _requestFor();
        uint40 blockNumber = attestations.recordOf(policyId, node.nodeId).blockNumber;
        return IReleaseLog.Subject(modelId, 1, policyId, node.nodeId, blockNumber, address(sold));
    }

    function _requestFor() private {
        vm.prank(licensee);
        releases.requestKey(modelId, 1, policyId, node.nodeId, address(sold));
    }

    function _release(IReleaseLog.Subject memory subject, uint16 seat, uint64 ceiling) private {
        vm.prank(broker);
        releases.releaseKey(subject, seat, LEASE, ceiling, ENVELOPE);
    }

    function _submitElsewhere() private {
        _later(12);
        _submit(_attested(TPM, 0));
    }

    function _refusal(ICompiledLicence.Refusal why) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IReleaseLog.Refused.selector, IReleaseLog.Reason.Licence, uint8(why));
    }

    function _refuses(ICompiledLicence.Refusal why) private {
        vm.expectRevert(_refusal(why));
    }
}
