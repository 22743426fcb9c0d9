// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ICompiledLicence} from "contracts/interfaces/ICompiledLicence.sol";
import {ILicence} from "contracts/interfaces/ILicence.sol";
import {CompiledSteps} from "./CompiledSteps.sol";
import {Vm} from "./Vm.sol";

/// @title What must hold of compiled licences after every sequence of steps.
contract CompiledInvariantsTest {
    CompiledSteps private _steps;

    function setUp() public {
        _steps = new CompiledSteps();
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_steps);
    }

    function excludeSelectors() public view returns (Vm.FuzzSelector[] memory excluded) {
        excluded = new Vm.FuzzSelector[](1);
        excluded[0] = Vm.FuzzSelector(address(_steps), new bytes4[](1));
        excluded[0].selectors[0] = this.setUp.selector;
    }

    /// it obeys who holds the role for a move and nobody else, counts each once, and never comes back from its end
    function invariant_life_isMovedByItsPartiesToItsEnd() public view {
        require(_steps.byThief() == 0, "moved without the role");
        require(_steps.miscounted() == 0, "miscounted");
        require(_steps.reopened() == 0, "reopened");
    }

    /// it permits only while active, paid, in its term and for a live, fresh and fitting record
    function invariant_permits_onlyWhatAllSays() public view {
        require(_steps.wronglyPermitted() == 0, "wrongly permitted");
    }

    /// it has left what was bought and not spent, holds what was paid and not drawn, and pays the licensor exactly that
    function invariant_money_balances() public view {
        (address sold, address rented) = _steps.addresses();
        (uint256 ofSold, uint256 ofRented) = _steps.balances();
        require(_steps.left() + _steps.used() == _steps.bought() + _steps.credited(), "meter");
        require(_steps.overpaid() == 0, "overpaid");
        require(ofSold + _steps.drawn(sold) == _steps.paid(sold), "money");
        require(ofRented + _steps.paid(rented) + _steps.drawn(rented) == 0, "money for a licence in euros");
    }

    /// it makes every move and permits at times: the invariants speak of something
    function test_steps() public {
        _steps.pay(true, 0, 1);
        _steps.pay(true, 0, 2);
        _steps.activate(true, 0, 2);
        _steps.buy(0, 3, 2);
        _steps.attest(2);
        _steps.use(0, 100);
        _steps.credit(0, 50);
        _steps.draw(true, 0);
        _steps.rebind(true, 0, true);
        _steps.rebind(true, 2, true);
        _steps.suspend(true, 0);
        _steps.resume(true, 0, 2);
        _steps.revoke(true, 0, 0);
        _steps.wait(16 hours);
        _steps.pay(false, 0, 2);
        _steps.activate(false, 0, 2);
        _steps.attest(2);
        _steps.notify(0);
        for (uint256 i = 0; i < 3; ++i) {
            _steps.wait(2 days);
        }
        _steps.expire(false, 9);
        bytes4[12] memory moves = [
            ICompiledLicence.pay.selector,
            ICompiledLicence.activate.selector,
            ICompiledLicence.buy.selector,
            ILicence.use.selector,
            ILicence.credit.selector,
            ICompiledLicence.draw.selector,
            ICompiledLicence.rebind.selector,
            ICompiledLicence.suspend.selector,
            ICompiledLicence.resume.selector,
            ICompiledLicence.revoke.selector,
            ICompiledLicence.notify.selector,
            ICompiledLicence.expire.selector
        ];
        for (uint256 i = 0; i < moves.length; ++i) {
            require(_steps.made(moves[i]) > 0, "a move was not made");
        }
        require(_steps.permitted() > 3, "permitted");
    }
}
