// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ICompiledLicence} from "contracts/interfaces/ICompiledLicence.sol";
import {CompiledFixture} from "./CompiledFixture.sol";

contract CompiledMoneyTest is CompiledFixture {
    /// it takes the exact fee once, before activation
    function test_pay() public {
        ICompiledLicence.Standing memory held = sold.standing();
        (held.prepaid, held.turn) = (true, 1);
        _expectMoved(sold, "pay", licensee, held);
        _paid();
        assertEq(address(sold).balance, FEE);
        vm.expectRevert(abi.encodeWithSelector(ICompiledLicence.NothingDue.selector, 0));
        vm.prank(licensee);
        sold.pay{value: FEE}(1);
    }

    /// it reverts NothingDue for ever
    function test_pay_whenPaidOnceAndActivated() public {
        _sell();
        vm.expectRevert(abi.encodeWithSelector(ICompiledLicence.NothingDue.selector, FOR_EVER));
        vm.prank(licensee);
        sold.pay{value: FEE}(2);
    }

    /// it reverts WrongAmount for a wei less, a wei more and nothing
    function test_pay_whenTheAmountIsNotExact() public {
        uint256[3] memory amounts = [FEE - 1, FEE + 1, 0];
        for (uint256 i = 0; i < amounts.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(ICompiledLicence.WrongAmount.selector, FEE, amounts[i]));
            vm.prank(licensee);
            sold.pay{value: amounts[i]}(0);
        }
    }

    /// it reverts NotLicensee, for the licensor as well
    function test_pay_whenTheCallerIsNotTheLicensee() public {
        _expectNotLicensee(owner);
        vm.prank(owner);
        sold.pay{value: FEE}(0);
    }

    /// it reverts OutOfTurn
    function test_pay_whenSomebodyMovedBefore() public {
        _revoke(sold);
        vm.expectRevert(abi.encodeWithSelector(ICompiledLicence.OutOfTurn.selector, 1, 0));
        vm.prank(licensee);
        sold.pay{value: FEE}(0);
        _expectWrongState(ICompiledLicence.State.Revoked);
        vm.prank(licensee);
        sold.pay{value: FEE}(1);
    }

    /// it is confirmed by the licensor without value, and by nobody else
    function test_pay_givenOtherMoney() public {
        _expectNotLicensor(licensee);
        vm.prank(licensee);
        rented.pay(0);
        vm.expectRevert(abi.encodeWithSelector(ICompiledLicence.WrongAmount.selector, 0, 1));
        vm.prank(owner);
        rented.pay{value: 1}(0);
        _confirm();
        assertTrue(rented.standing().prepaid, "prepaid");
    }

    /// it pays one period ahead and no more, until the last second of the one before
    function test_pay_givenAPeriodicFee() public {
        _rent();
        _confirm();
        uint40 until = RENT_START + 2 * PERIOD;
        assertEq(rented.standing().paidUntil, until);
        vm.expectRevert(abi.encodeWithSelector(ICompiledLicence.NothingDue.selector, until));
        _confirmAt(3);
        _later(PERIOD - 1);
        vm.expectRevert(abi.encodeWithSelector(ICompiledLicence.NothingDue.selector, until));
        _confirmAt(3);
        _later(1);
        _confirm();
        assertEq(rented.standing().paidUntil, until + PERIOD);
    }

    /// it starts the period now, while one paid in its first due second loses nothing
    function test_pay_whenPaidLate() public {
        _rent();
        _later(PERIOD);
        uint256 before = vm.snapshotState();
        _confirm();
        assertEq(rented.standing().paidUntil, RENT_START + 2 * PERIOD);
        vm.revertToState(before);
        _later(100);
        _confirm();
        assertEq(rented.standing().paidUntil, RENT_START + 2 * PERIOD + 100);
    }

    /// it is taken while suspended, and no more once the term is over
    function test_pay_whenSuspended() public {
        _rent();
        _suspend(rented);
        _later(PERIOD);
        _confirm();
        _later(RENT_END - block.timestamp);
        _expectWrongState(ICompiledLicence.State.Expired);
        _confirmAt(4);
    }

    /// it adds the answers of the packs for their exact price
    function testFuzz_buy_forAnyNumber(uint32 packs) public {
        packs = packs % 900 + 1;
        _sell();
        ICompiledLicence.Standing memory held = sold.standing();
        held.turn = 3;
        vm.expectEmit(address(sold));
        emit ICompiledLicence.Metered(PACK * packs);
        _expectMoved(sold, "buy", licensee, held);
        vm.prank(licensee);
        sold.buy{value: PACK_PRICE * packs}(2, packs);
        assertEq(sold.remaining(), uint256(PACK) * packs);
        assertEq(sold.standing().turn, 3);
        assertEq(address(sold).balance, FEE + PACK_PRICE * packs);
    }

    /// it never wraps around: the highest number costs what it costs, and all its answers are there
    function test_buy_whenTheNumberIsTheHighest() public {
        _sell();
        uint32 packs = type(uint32).max;
        vm.deal(licensee, PACK_PRICE * packs * 2);
        vm.prank(licensee);
        sold.buy{value: PACK_PRICE * packs}(2, packs);
        vm.prank(licensee);
        sold.buy{value: PACK_PRICE * packs}(3, packs);
        assertEq(sold.remaining(), uint256(PACK) * packs * 2);
    }

    /// it reverts NoPacks
    function test_buy_whenThereIsNone() public {
        _sell();
        vm.expectRevert(ICompiledLicence.NoPacks.selector);
        vm.prank(licensee);
        sold.buy(2, 0);
    }

    /// it reverts WrongAmount
    function test_buy_whenTheAmountIsNotExact() public {
        _sell();
        vm.expectRevert(
            abi.encodeWithSelector(ICompiledLicence.WrongAmount.selector, 2 * PACK_PRICE, PACK_PRICE)
        );
        vm.prank(licensee);
        sold.buy{value: PACK_PRICE}(2, 2);
    }

    /// it reverts WrongState before activation, when suspended and once it is over
    function test_buy_whenItIsNotActive() public {
        _expectWrongState(ICompiledLicence.State.Granted);
        _buyAt(0);
        _sell();
        _suspend(sold);
        _expectWrongState(ICompiledLicence.State.Suspended);
        _buyAt(3);
        _later(LASTS);
        _expectWrongState(ICompiledLicence.State.Expired);
        _buyAt(3);
    }

    /// it reverts OutOfTurn, and a price paid twice by mistake comes back
    function test_buy_whenSomebodyMovedBefore() public {
        _sell();
        _buyAt(2);
        vm.expectRevert(abi.encodeWithSelector(ICompiledLicence.OutOfTurn.selector, 3, 2));
        _buyAt(2);
        assertEq(licensee.balance, 100 ether - FEE - PACK_PRICE);
    }

    /// it reverts NotLicensee
    function test_buy_whenTheCallerIsNotTheLicensee() public {
        _sell();
        _expectNotLicensee(owner);
        vm.prank(owner);
        sold.buy{value: PACK_PRICE}(2, 1);
    }

    /// it debits and credits to the answer, and takes no turn
    function testFuzz_use_forAnyAmount(uint64 used, uint64 credited) public {
        used %= PACK + 1;
        credited %= used + 1;
        _sell();
        _buyOne();
        vm.expectEmit(address(sold));
        emit ICompiledLicence.Metered(PACK - used);
        _use(used);
        vm.expectEmit(address(sold));
        emit ICompiledLicence.Metered(PACK - used + credited);
        vm.prank(address(releases));
        sold.credit(credited);
        assertEq(sold.remaining(), PACK - used + credited);
        assertEq(sold.standing().turn, 3);
    }

    /// it spends all that is left, and reverts CreditExhausted for one more
    function test_use_whenTheAnswersDoNotSuffice() public {
        _sell();
        _buyOne();
        vm.expectRevert(abi.encodeWithSelector(ICompiledLicence.CreditExhausted.selector, PACK, PACK + 1));
        _use(PACK + 1);
        _use(PACK);
        vm.expectRevert(abi.encodeWithSelector(ICompiledLicence.CreditExhausted.selector, 0, 1));
        _use(1);
        _buyOne();
        _use(1);
        assertEq(sold.remaining(), PACK - 1);
    }

    /// it lets anything pass and says that there is no limit
    function test_use_whenTheTextSetsNoLimit() public {
        vm.prank(address(releases));
        rented.use(type(uint64).max);
        vm.prank(address(releases));
        rented.credit(type(uint64).max);
        assertEq(rented.remaining(), type(uint64).max);
    }

    /// it reverts NotReleaseLog for both parties
    function test_use_whenTheCallerIsNotTheReleaseLog() public {
        vm.expectRevert(abi.encodeWithSelector(ICompiledLicence.NotReleaseLog.selector, owner));
        vm.prank(owner);
        sold.use(0);
        vm.expectRevert(abi.encodeWithSelector(ICompiledLicence.NotReleaseLog.selector, licensee));
        vm.prank(licensee);
        rented.credit(0);
    }

    /// it gives back what was spent, and reverts CreditBeyondSpent for one more
    function test_credit() public {
        _sell();
        _buyOne();
        _use(10);
        vm.expectRevert(abi.encodeWithSelector(ICompiledLicence.CreditBeyondSpent.selector, 10, 11));
        vm.prank(address(releases));
        sold.credit(11);
        vm.prank(address(releases));
        sold.credit(10);
        vm.expectRevert(abi.encodeWithSelector(ICompiledLicence.CreditBeyondSpent.selector, 0, 1));
        vm.prank(address(releases));
        sold.credit(1);
        assertEq(sold.remaining(), PACK);
    }

    /// it still credits what nodes hand back
    function test_credit_whenRevoked() public {
        _sell();
        _buyOne();
        _use(10);
        _revoke(sold);
        vm.prank(address(releases));
        sold.credit(4);
        assertEq(sold.remaining(), PACK - 6);
    }

    /// it hands all that was paid to the licensor, once, whatever became of the licence
    function test_draw() public {
        _sell();
        _buyOne();
        _revoke(sold);
        vm.expectEmit(address(sold));
        emit ICompiledLicence.Drawn(owner, FEE + PACK_PRICE);
        vm.prank(owner);
        sold.draw();
        assertEq(owner.balance, 1 ether + FEE + PACK_PRICE);
        assertEq(sold.standing().turn, 4);
        vm.expectRevert(ICompiledLicence.NothingToDraw.selector);
        vm.prank(owner);
        sold.draw();
    }

    /// it reverts NotLicensor, for the licensee as well
    function test_draw_whenTheCallerDoesNotOwnTheModel() public {
        _paid();
        _expectNotLicensor(licensee);
        vm.prank(licensee);
        sold.draw();
    }

    function _buyAt(uint32 turn) private {
        vm.prank(licensee);
        sold.buy{value: PACK_PRICE}(turn, 1);
    }
}
