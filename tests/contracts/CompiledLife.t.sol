// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ICompiledLicence} from "contracts/interfaces/ICompiledLicence.sol";
import {CompiledFixture} from "./CompiledFixture.sol";
import {IWiring} from "contracts/interfaces/IWiring.sol";
import {Licence as Rented} from "./RentedLicence.sol";
import {Licence as Sold} from "./SoldLicence.sol";

contract CompiledLifeTest is CompiledFixture {
    /// it says what its text says, in its event as in its terms
    function test_constructor() public {
        ICompiledLicence.Terms memory said = sold.terms();
        vm.expectEmit();
        emit ICompiledLicence.Compiled(modelId, said);
        ICompiledLicence made = ICompiledLicence(address(new Sold(IWiring(address(releases)))));
        (address log, bytes32 model) = made.bound();
        assertEq(log, address(releases));
        assertEq(model, said.modelId);
        assertEq(said.modelId, modelId);
        assertEq(said.length, LASTS);
        assertEq(said.start + said.end + said.notice, 0);
        assertEq(said.period, FOR_EVER);
        assertEq(said.price, FEE);
        assertEq(said.pack, PACK);
        assertEq(said.packPrice, PACK_PRICE);
        assertEq(said.kinds, TPM);
        assertEq(said.places[SWITZERLAND / 256], 1 << SWITZERLAND % 256);
        assertEq(said.text, made.text());
        assertEq(said.seats, made.seats());
    }

    /// it knows the end of its term from the start
    function test_constructor_whenTheTermIsBetweenDates() public {
        ICompiledLicence.Terms memory said = rented.terms();
        assertEq(said.start, RENT_START);
        assertEq(said.end, RENT_END);
        assertEq(said.period, PERIOD);
        assertEq(said.notice, NOTICE);
        assertEq(said.every, EVERY);
        assertTrue(said.removes, "removes");
        assertEq(rented.standing().end, RENT_END);
        assertTrue(address(new Rented(IWiring(address(releases)))).code.length < 24_576, "fits");
    }

    /// it leaves out what its text does not say
    function test_constructor_whenAClauseIsMissing() public {
        vm.expectRevert(bytes(""));
        vm.prank(owner);
        sold.notify();
        vm.expectRevert(bytes(""));
        vm.prank(licensee);
        rented.buy(0, 1);
    }

    /// it is granted, unpaid and without an end
    function test_standing() public view {
        ICompiledLicence.Standing memory held = sold.standing();
        _stands(sold, ICompiledLicence.State.Granted);
        assertTrue(!held.prepaid, "prepaid");
        assertEq(uint256(held.since) + held.end + held.paidUntil + held.noticeOver + held.turn, 0);
    }

    /// it is expired from its first second after, whether or not anybody recorded it
    function test_standing_whenTheTermIsOver() public {
        _rent();
        _later(RENT_END - 1 - block.timestamp);
        _stands(rented, ICompiledLicence.State.Active);
        _later(1);
        _stands(rented, ICompiledLicence.State.Expired);
        assertEq(rented.standing().turn, 2);
    }

    /// it begins a term of its length, paid for ever
    function test_activate() public {
        _paid();
        _later(100);
        uint40 current = _now();
        _expectMoved(
            sold,
            "activate",
            licensee,
            ICompiledLicence.Standing(ICompiledLicence.State.Active, true, current, current + LASTS, FOR_EVER, 0, 2)
        );
        vm.prank(licensee);
        sold.activate(1);
        _stands(sold, ICompiledLicence.State.Active);
    }

    /// it begins at its first second and not the one before, paid for one period
    function test_activate_whenTheTermIsBetweenDates() public {
        _confirm();
        _later(RENT_START - 1 - block.timestamp);
        vm.expectRevert(abi.encodeWithSelector(ICompiledLicence.NotStarted.selector, RENT_START));
        vm.prank(licensee);
        rented.activate(1);
        _later(1);
        vm.prank(licensee);
        rented.activate(1);
        assertEq(rented.standing().since, RENT_START);
        assertEq(rented.standing().paidUntil, RENT_START + PERIOD);
    }

    /// it reverts WrongState from the first second after its term, not the one before
    function test_activate_whenTheTermIsOver() public {
        _confirm();
        _later(RENT_END - block.timestamp);
        _expectWrongState(ICompiledLicence.State.Expired);
        vm.prank(licensee);
        rented.activate(1);
        vm.warp(RENT_END - 1);
        vm.prank(licensee);
        rented.activate(1);
    }

    /// it reverts FeeUnpaid
    function test_activate_whenTheFeeIsNotPaid() public {
        vm.expectRevert(ICompiledLicence.FeeUnpaid.selector);
        vm.prank(licensee);
        sold.activate(0);
    }

    /// it reverts WrongState
    function test_activate_whenItWasActivatedBefore() public {
        _sell();
        _expectWrongState(ICompiledLicence.State.Active);
        vm.prank(licensee);
        sold.activate(2);
        _suspend(sold);
        _expectWrongState(ICompiledLicence.State.Suspended);
        vm.prank(licensee);
        sold.activate(3);
    }

    /// it reverts OutOfTurn with both counts
    function test_activate_whenSomebodyMovedBefore() public {
        _paid();
        vm.expectRevert(abi.encodeWithSelector(ICompiledLicence.OutOfTurn.selector, 1, 0));
        vm.prank(licensee);
        sold.activate(0);
        vm.expectRevert(abi.encodeWithSelector(ICompiledLicence.OutOfTurn.selector, 1, 2));
        vm.prank(licensee);
        sold.activate(2);
    }

    /// it reverts NotLicensee, for the licensor as well
    function test_activate_whenTheCallerIsNotTheLicensee() public {
        _paid();
        _expectNotLicensee(owner);
        vm.prank(owner);
        sold.activate(1);
    }

    /// it reverts NotLicensee while nobody accepted
    function test_activate_whenNobodyAccepted() public {
        ICompiledLicence made = ICompiledLicence(address(new Sold(IWiring(address(releases)))));
        vm.prank(owner);
        licences.grant(address(made), modelId, 1, licensee);
        _expectNotLicensee(licensee);
        vm.prank(licensee);
        made.pay{value: FEE}(0);
    }

    /// it stands suspended until resumed, and the clock runs on
    function test_suspend() public {
        _sell();
        uint40 end = sold.standing().end;
        _later(50);
        ICompiledLicence.Standing memory held = sold.standing();
        (held.state, held.turn) = (ICompiledLicence.State.Suspended, 3);
        _expectMoved(sold, "suspend", owner, held);
        _suspend(sold);
        _later(50);
        (held.state, held.since, held.turn) = (ICompiledLicence.State.Active, _now(), 4);
        _expectMoved(sold, "resume", owner, held);
        vm.prank(owner);
        sold.resume(3);
        assertEq(sold.standing().end, end);
        assertEq(sold.standing().since, _now());
        assertEq(sold.standing().turn, 4);
    }

    /// it reverts WrongState before activation, when suspended, and once it is over
    function test_suspend_whenItIsNotActive() public {
        _expectWrongState(ICompiledLicence.State.Granted);
        _suspend(sold);
        _sell();
        _suspend(sold);
        _expectWrongState(ICompiledLicence.State.Suspended);
        _suspend(sold);
        _later(LASTS);
        _expectWrongState(ICompiledLicence.State.Expired);
        _suspend(sold);
    }

    /// it reverts NotLicensor, for the licensee as well
    function test_suspend_whenTheCallerDoesNotOwnTheModel() public {
        _sell();
        _expectNotLicensor(licensee);
        vm.prank(licensee);
        sold.suspend();
        _expectNotLicensor(stranger);
        vm.prank(stranger);
        sold.revoke();
    }

    /// it reverts WrongState unless suspended
    function test_resume_whenItIsNotSuspended() public {
        _sell();
        _expectWrongState(ICompiledLicence.State.Active);
        vm.prank(owner);
        sold.resume(2);
        _revoke(sold);
        _expectWrongState(ICompiledLicence.State.Revoked);
        vm.prank(owner);
        sold.resume(3);
    }

    /// it reverts OutOfTurn
    function test_resume_whenSomebodyMovedBefore() public {
        _sell();
        _suspend(sold);
        vm.expectRevert(abi.encodeWithSelector(ICompiledLicence.OutOfTurn.selector, 3, 2));
        vm.prank(owner);
        sold.resume(2);
    }

    /// it reverts NotLicensor
    function test_resume_whenTheCallerDoesNotOwnTheModel() public {
        _sell();
        _suspend(sold);
        _expectNotLicensor(licensee);
        vm.prank(licensee);
        sold.resume(3);
    }

    /// it lets the notice run, once
    function test_notify() public {
        _rent();
        _suspend(rented);
        ICompiledLicence.Standing memory held = rented.standing();
        (held.noticeOver, held.turn) = (_now() + NOTICE, 4);
        _expectMoved(rented, "notify", owner, held);
        _notify();
        vm.expectRevert(abi.encodeWithSelector(ICompiledLicence.NoticeGiven.selector, _now() + NOTICE));
        _notify();
    }

    /// it runs from the first second of the term, and can no longer be paid for
    function test_notify_whenTheTermHasNotBegun() public {
        _notify();
        assertEq(rented.standing().noticeOver, RENT_START + NOTICE);
        vm.expectRevert(abi.encodeWithSelector(ICompiledLicence.NoticeGiven.selector, RENT_START + NOTICE));
        vm.prank(owner);
        rented.pay(1);
    }

    /// it reverts WrongState
    function test_notify_whenTheTermIsOver() public {
        _rent();
        _later(5 days);
        _expectWrongState(ICompiledLicence.State.Expired);
        _notify();
    }

    /// it reverts NotLicensor
    function test_notify_whenTheCallerDoesNotOwnTheModel() public {
        _rent();
        _expectNotLicensor(licensee);
        vm.prank(licensee);
        rented.notify();
    }

    /// it is revoked for ever, at once where no notice was agreed
    function test_revoke() public {
        _sell();
        ICompiledLicence.Standing memory held = sold.standing();
        (held.state, held.turn) = (ICompiledLicence.State.Revoked, 3);
        _expectMoved(sold, "revoke", owner, held);
        _revoke(sold);
        _expectWrongState(ICompiledLicence.State.Revoked);
        _revoke(sold);
        _later(LASTS);
        _stands(sold, ICompiledLicence.State.Revoked);
        _expectWrongState(ICompiledLicence.State.Revoked);
        sold.expire();
    }

    /// it reverts NoticeNotOver without notice and to its last second, then revokes
    function test_revoke_givenNoticeWasAgreed() public {
        _rent();
        vm.expectRevert(abi.encodeWithSelector(ICompiledLicence.NoticeNotOver.selector, 0));
        _revoke(rented);
        _notify();
        uint40 over = _now() + NOTICE;
        _later(NOTICE - 1);
        vm.expectRevert(abi.encodeWithSelector(ICompiledLicence.NoticeNotOver.selector, over));
        _revoke(rented);
        _suspend(rented);
        _later(1);
        _revoke(rented);
        _stands(rented, ICompiledLicence.State.Revoked);
    }

    /// it needs the notice too, so that whoever has paid can use what was paid for
    function test_revoke_whenItWasNotActivated() public {
        _confirm();
        vm.expectRevert(abi.encodeWithSelector(ICompiledLicence.NoticeNotOver.selector, 0));
        _revoke(rented);
        _notify();
        _later(RENT_START + NOTICE - 1 - block.timestamp);
        vm.expectRevert(abi.encodeWithSelector(ICompiledLicence.NoticeNotOver.selector, RENT_START + NOTICE));
        _revoke(rented);
        vm.prank(licensee);
        rented.activate(2);
        _later(1);
        _revoke(rented);
    }

    /// it reverts WrongState
    function test_revoke_whenTheTermIsOver() public {
        _sell();
        _later(LASTS);
        _expectWrongState(ICompiledLicence.State.Expired);
        _revoke(sold);
    }

    /// it is recorded by anyone from the first second after, once
    function test_expire() public {
        _sell();
        uint40 end = sold.standing().end;
        _later(LASTS - 1);
        vm.expectRevert(abi.encodeWithSelector(ICompiledLicence.NotOver.selector, end));
        sold.expire();
        _later(1);
        ICompiledLicence.Standing memory held = sold.standing();
        held.turn = 3;
        _expectMoved(sold, "expire", stranger, held);
        vm.prank(stranger);
        sold.expire();
        _expectWrongState(ICompiledLicence.State.Expired);
        sold.expire();
    }

    /// it expires without activation between dates, and never where the term starts then
    function test_expire_whenItWasNotActivated() public {
        _later(RENT_END - block.timestamp);
        rented.expire();
        _stands(rented, ICompiledLicence.State.Expired);
        vm.expectRevert(abi.encodeWithSelector(ICompiledLicence.NotOver.selector, 0));
        sold.expire();
    }
}
