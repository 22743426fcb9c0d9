// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ICompiledLicence} from "contracts/interfaces/ICompiledLicence.sol";
import {IModelRegistry} from "contracts/interfaces/IModelRegistry.sol";
import {IWiring} from "contracts/interfaces/IWiring.sol";
import {CompiledFixture} from "./CompiledFixture.sol";
import {Licence as Given} from "./GivenLicence.sol";
import {Licence as Leased} from "./LeasedLicence.sol";

/// @title What other texts change: a periodic fee in ether, packs in euros, a version, two technologies and places, no fee at all.
contract CompiledVariantsTest is CompiledFixture {
    uint32 private constant TDX = 1 << 3;
    uint16 private constant UNITED_STATES = 840;

    ICompiledLicence private _leased;
    ICompiledLicence private _given;

    function setUp() public override {
        super.setUp();
        _leased = ICompiledLicence(address(new Leased(IWiring(address(releases)))));
        _given = ICompiledLicence(address(new Given(IWiring(address(releases)))));
        _grant(address(_leased));
        _grant(address(_given));
    }

    /// it takes the exact ether for each period, one ahead and no more, and from the licensee alone
    function test_pay_givenAPeriodicFeeInEther() public {
        _payAt(0, FEE);
        _activate(_leased, 1);
        uint40 start = _now();
        assertEq(_leased.standing().paidUntil, start + PERIOD);
        vm.expectRevert(abi.encodeWithSelector(ICompiledLicence.WrongAmount.selector, FEE, 2 * FEE));
        _payAt(2, 2 * FEE);
        _payAt(2, FEE);
        vm.expectRevert(abi.encodeWithSelector(ICompiledLicence.NothingDue.selector, start + 2 * PERIOD));
        _payAt(3, FEE);
        _expectNotLicensee(owner);
        vm.prank(owner);
        _leased.pay{value: FEE}(3);
        _later(5 * PERIOD);
        _payAt(3, FEE);
        assertEq(_leased.standing().paidUntil, _now() + PERIOD);
        assertEq(address(_leased).balance, 3 * FEE);
    }

    /// it takes nothing for another period than one that was kept in turn
    function test_pay_whenTheTurnIsReplayed() public {
        _payAt(0, FEE);
        _activate(_leased, 1);
        _payAt(2, FEE);
        _later(PERIOD);
        vm.expectRevert(abi.encodeWithSelector(ICompiledLicence.OutOfTurn.selector, 3, 2));
        _payAt(2, FEE);
        _payAt(3, FEE);
    }

    /// it is confirmed by the licensor without value, and by nobody else
    function test_buy_givenOtherMoney() public {
        _payAt(0, FEE);
        _activate(_leased, 1);
        _expectNotLicensor(licensee);
        vm.prank(licensee);
        _leased.buy(2, 3);
        vm.expectRevert(abi.encodeWithSelector(ICompiledLicence.WrongAmount.selector, 0, 1));
        vm.prank(owner);
        _leased.buy{value: 1}(2, 3);
        vm.expectRevert(ICompiledLicence.NoPacks.selector);
        vm.prank(owner);
        _leased.buy(2, 0);
        vm.prank(owner);
        _leased.buy(2, 3);
        assertEq(_leased.remaining(), 3 * PACK);
    }

    /// it cannot be filled beyond what is countable
    function test_buy_whenTheNumberIsTheHighestAndCostsNothingHere() public {
        _payAt(0, FEE);
        _activate(_leased, 1);
        uint32 packs = type(uint32).max;
        for (uint32 turn = 2; turn < 12; ++turn) {
            vm.prank(owner);
            _leased.buy(turn, packs);
        }
        assertEq(_leased.remaining(), uint256(PACK) * packs * 10);
    }

    /// it covers its lowest version and none below
    function test_permits_givenALowestVersion() public {
        vm.prank(owner);
        models.addVersion(modelId, "second seal", policyId, IModelRegistry.Finality.Safe, "file:///2");
        _payAt(0, FEE);
        _activate(_leased, 1);
        _attest();
        _says(_leased, ICompiledLicence.Refusal.OtherModel);
        (bool allowed,) = _leased.permits(modelId, 2, node.nodeId, _now());
        assertTrue(allowed, "its lowest version");
    }

    /// it permits a node with one of them alone, and with none of them nothing
    function test_permits_givenTwoTechnologies() public {
        _activate(_given, 0);
        uint32[2] memory kinds = [TDX, TPM];
        for (uint256 i = 0; i < kinds.length; ++i) {
            _later(12);
            _submit(_attested(kinds[i], SWITZERLAND));
            _says(_given, ICompiledLicence.Refusal.None);
        }
        _later(12);
        _submit(_attested(~(TDX | TPM), SWITZERLAND));
        _says(_given, ICompiledLicence.Refusal.Hardware);
    }

    /// it permits both of its places, of two words of the bitmap, and none beyond the last word
    function test_permits_givenTwoPlaces() public {
        _activate(_given, 0);
        uint16[2] memory places = [SWITZERLAND, UNITED_STATES];
        for (uint256 i = 0; i < places.length; ++i) {
            _later(12);
            _submit(_attested(TPM, places[i]));
            _says(_given, ICompiledLicence.Refusal.None);
        }
        for (uint16 place = UNITED_STATES % 256; place < UNITED_STATES + 1024; place += 256) {
            if (place == UNITED_STATES) continue;
            _later(12);
            _submit(_attested(TPM, place));
            _says(_given, ICompiledLicence.Refusal.Place);
        }
        _later(12);
        _submit(_attested(TPM, UNITED_STATES + 1024));
        _says(_given, ICompiledLicence.Refusal.Place);
    }

    /// it is used at once and for ever free, and there is nothing to pay, to buy or to draw
    function test_activate_givenNoFee() public {
        assertEq(_given.standing().paidUntil, FOR_EVER);
        vm.expectRevert(bytes(""));
        vm.prank(licensee);
        _given.pay(0);
        vm.expectRevert(bytes(""));
        vm.prank(licensee);
        _given.buy(0, 1);
        _activate(_given, 0);
        assertEq(_given.standing().paidUntil, FOR_EVER);
        _attest();
        _says(_given, ICompiledLicence.Refusal.None);
        assertEq(_given.remaining(), type(uint64).max);
        vm.expectRevert(ICompiledLicence.NothingToDraw.selector);
        vm.prank(owner);
        _given.draw();
    }

    /// it starts a notice that outlasts neither the term nor a suspension
    function test_revoke_givenNoticeOfATermFromActivation() public {
        _activate(_given, 0);
        vm.prank(owner);
        _given.notify();
        _suspend(_given);
        _later(NOTICE - 1);
        vm.expectRevert(abi.encodeWithSelector(ICompiledLicence.NoticeNotOver.selector, _now() + 1));
        _revoke(_given);
        _later(1);
        _revoke(_given);
        _stands(_given, ICompiledLicence.State.Revoked);
    }

    function _payAt(uint32 turn, uint256 value) private {
        vm.prank(licensee);
        _leased.pay{value: value}(turn);
    }

    function _activate(ICompiledLicence which, uint32 turn) private {
        vm.prank(licensee);
        which.activate(turn);
    }
}
