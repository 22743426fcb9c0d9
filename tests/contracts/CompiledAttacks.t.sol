// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ICompiledLicence} from "contracts/interfaces/ICompiledLicence.sol";
import {ILicence} from "contracts/interfaces/ILicence.sol";
import {CompiledFixture} from "./CompiledFixture.sol";
import {CoyOwner, GreedyOwner, HastyLicensee} from "./RudeParties.sol";

contract CompiledAttacksTest is CompiledFixture {
    /// it reverts Reentered for every move, and hands the money over once
    function test_draw_whenTheOwnerCallsBack() public {
        _sell();
        _buyOne();
        GreedyOwner greedy = new GreedyOwner(sold);
        vm.prank(owner);
        models.offerOwnership(modelId, address(greedy));
        greedy.take(models, modelId);
        bytes[] memory moves = _moves(sold.standing().turn);
        uint256 before = vm.snapshotState();
        for (uint256 i = 0; i < moves.length; ++i) {
            greedy.drawAnd(address(sold), moves[i]);
            assertTrue(!greedy.passed(), "passed");
            assertEq(bytes32(greedy.answer()), bytes32(ICompiledLicence.Reentered.selector));
            assertEq(address(greedy).balance, FEE + PACK_PRICE);
            _stands(sold, ICompiledLicence.State.Active);
            vm.revertToState(before);
        }
    }

    /// it permits nothing meanwhile, because it is busy, and is free again afterwards
    function test_draw_whenTheOwnerAsksWhileItIsPaid() public {
        _sell();
        _attest();
        GreedyOwner greedy = new GreedyOwner(sold);
        vm.prank(owner);
        models.offerOwnership(modelId, address(greedy));
        greedy.take(models, modelId);
        _says(sold, ICompiledLicence.Refusal.None);
        greedy.drawAnd(address(sold), abi.encodeCall(ILicence.permits, (modelId, 1, node.nodeId, _now())));
        (bool allowed, uint8 reason) = abi.decode(greedy.answer(), (bool, uint8));
        assertTrue(greedy.passed() && !allowed, "allowed");
        assertEq(reason, uint256(ICompiledLicence.Refusal.Busy));
        _says(sold, ICompiledLicence.Refusal.None);
        greedy.act(abi.encodeCall(ICompiledLicence.suspend, ()));
        _says(sold, ICompiledLicence.Refusal.Suspended);
    }

    /// it reverts DrawFailed, keeps the money and works on; the next owner draws it
    function test_draw_whenTheOwnerRefusesTheMoney() public {
        _sell();
        CoyOwner coy = new CoyOwner();
        vm.prank(owner);
        models.offerOwnership(modelId, address(coy));
        coy.take(models, modelId);
        vm.expectRevert(abi.encodeWithSelector(ICompiledLicence.DrawFailed.selector, address(coy)));
        coy.draw(sold);
        assertEq(address(sold).balance, FEE);
        _buyOne();
        coy.passOn(models, modelId, owner);
        vm.prank(owner);
        models.acceptOwnership(modelId);
        vm.prank(owner);
        sold.draw();
        assertEq(owner.balance, 1 ether + FEE + PACK_PRICE);
    }

    /// it is revoked in the same block, however many moves the licensee made before
    function test_revoke_whenTheLicenseeMovesFirstAsInCase25() public {
        HastyLicensee hasty = _hasty();
        _attest();
        uint32 seen = sold.standing().turn;
        uint256 before = block.number;
        hasty.rush(FEE, PACK_PRICE, 20);
        assertEq(sold.standing().turn, seen + 22);
        _revoke(sold);
        assertEq(block.number, before);
        _says(sold, ICompiledLicence.Refusal.Revoked);
    }

    /// it is suspended in the same block, and no move of the licensee takes that back
    function test_suspend_whenTheLicenseeMovesFirst() public {
        HastyLicensee hasty = _hasty();
        hasty.rush(FEE, PACK_PRICE, 3);
        _suspend(sold);
        uint32 turn = sold.standing().turn;
        bytes[] memory moves = _moves(turn);
        for (uint256 i = 0; i < moves.length; ++i) {
            vm.prank(address(hasty));
            (bool ok,) = address(sold).call(moves[i]);
            assertTrue(!ok || bytes4(moves[i]) == ICompiledLicence.rebind.selector, "moved");
        }
        _stands(sold, ICompiledLicence.State.Suspended);
        assertEq(sold.standing().turn, turn);
    }

    /// it is under notice at once, and the licensee cannot put its end off
    function test_notify_whenTheLicenseeMovesFirst() public {
        _later(RENT_START - block.timestamp);
        _confirm();
        vm.prank(licensee);
        rented.activate(1);
        _notify();
        uint40 over = _now() + NOTICE;
        _later(NOTICE);
        assertEq(rented.standing().noticeOver, over);
        _revoke(rented);
    }

    /// it takes no money for a move made twice with one turn
    function test_buy_whenTheTurnIsReplayed() public {
        _sell();
        uint32 turn = sold.standing().turn;
        vm.prank(licensee);
        sold.buy{value: PACK_PRICE}(turn, 1);
        for (uint32 other = 0; other <= turn; ++other) {
            vm.expectRevert(abi.encodeWithSelector(ICompiledLicence.OutOfTurn.selector, turn + 1, other));
            vm.prank(licensee);
            sold.buy{value: PACK_PRICE}(other, 1);
        }
        assertEq(address(sold).balance, FEE + PACK_PRICE);
    }

    /// it moves nothing in any state of either licence
    function test_moves_whenTheCallerIsAStranger() public {
        _cannotMove(sold, 0);
        _paid();
        _cannotMove(sold, 1);
        vm.prank(licensee);
        sold.activate(1);
        _cannotMove(sold, 2);
        _suspend(sold);
        _cannotMove(sold, 3);
        _revoke(sold);
        _cannotMove(sold, 4);
        _cannotMove(rented, 0);
        _rent();
        _cannotMove(rented, 2);
        _notify();
        _cannotMove(rented, 3);
    }

    /// it takes no ether but for a fee or packs
    function testFuzz_fallback_forAnyEther(uint64 amount, bytes4 selector) public {
        vm.assume(selector != ICompiledLicence.pay.selector && selector != ICompiledLicence.buy.selector);
        vm.deal(licensee, 100 ether);
        vm.prank(licensee);
        (bool ok,) = address(sold).call{value: uint256(amount) + 1}("");
        assertTrue(!ok, "taken");
        vm.prank(licensee);
        (ok,) = address(sold).call{value: uint256(amount) + 1}(abi.encodePacked(selector, new bytes(128)));
        assertTrue(!ok, "taken by a call");
    }

    function _hasty() private returns (HastyLicensee hasty) {
        hasty = new HastyLicensee(sold);
        vm.deal(address(hasty), 10 ether);
        vm.prank(licensee);
        licences.offerLicensee(address(sold), address(hasty));
        hasty.accept(licences);
    }

    /// @dev Everything that changes a licence, but for payments.
    function _moves(uint32 turn) private view returns (bytes[] memory moves) {
        moves = new bytes[](12);
        moves[0] = abi.encodeCall(ICompiledLicence.draw, ());
        moves[1] = abi.encodeCall(ICompiledLicence.suspend, ());
        moves[2] = abi.encodeCall(ICompiledLicence.resume, (turn));
        moves[3] = abi.encodeCall(ICompiledLicence.revoke, ());
        moves[4] = abi.encodeCall(ICompiledLicence.expire, ());
        moves[5] = abi.encodeCall(ICompiledLicence.activate, (turn));
        moves[6] = abi.encodeCall(ICompiledLicence.pay, (turn));
        moves[7] = abi.encodeCall(ICompiledLicence.buy, (turn, 0));
        moves[8] = abi.encodeCall(ILicence.use, (0));
        moves[9] = abi.encodeCall(ILicence.credit, (0));
        moves[10] = abi.encodeCall(ICompiledLicence.rebind, (address(0), modelId));
        moves[11] = abi.encodeCall(ICompiledLicence.rebind, (address(this), bytes32(0)));
    }

    function _cannotMove(ICompiledLicence which, uint32 turn) private {
        bytes[] memory moves = _moves(turn);
        bytes32 before = keccak256(abi.encode(which.standing(), which.remaining()));
        for (uint256 i = 0; i <= moves.length; ++i) {
            bytes memory move = i < moves.length ? moves[i] : abi.encodeCall(ICompiledLicence.notify, ());
            vm.prank(stranger);
            (bool ok,) = address(which).call(move);
            assertTrue(!ok, "moved");
            vm.prank(stranger);
            (ok,) = address(which).call{value: FEE}(move);
            assertTrue(!ok, "moved with money");
        }
        assertEq(keccak256(abi.encode(which.standing(), which.remaining())), before);
        assertEq(address(which).balance, address(which) == address(sold) && turn > 0 ? FEE : 0);
    }
}
