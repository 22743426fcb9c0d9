// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ICompiledLicence} from "contracts/interfaces/ICompiledLicence.sol";
import {ILicenceRegistry} from "contracts/interfaces/ILicenceRegistry.sol";
import {IModelRegistry} from "contracts/interfaces/IModelRegistry.sol";

/// @title A licensor that makes one more call while its money arrives, and notes what it was told.
contract GreedyOwner {
    ICompiledLicence private immutable LICENCE;
    address private _target;
    bytes private _inner;
    bool public passed;
    bytes public answer;

    constructor(ICompiledLicence licence) {
        LICENCE = licence;
    }

    receive() external payable {
        (passed, answer) = _target.call(_inner);
    }

    function take(IModelRegistry models, bytes32 modelId) external {
        models.acceptOwnership(modelId);
    }

    function drawAnd(address target, bytes calldata inner) external {
        (_target, _inner) = (target, inner);
        LICENCE.draw();
    }

    function act(bytes calldata move) external {
        (bool ok,) = address(LICENCE).call(move);
        require(ok, "refused");
    }
}

/// @title A licensor without a way to take money.
contract CoyOwner {
    function take(IModelRegistry models, bytes32 modelId) external {
        models.acceptOwnership(modelId);
    }

    function passOn(IModelRegistry models, bytes32 modelId, address to) external {
        models.offerOwnership(modelId, to);
    }

    function draw(ICompiledLicence licence) external {
        licence.draw();
    }
}

/// @title A licensee that makes all its moves at once, ahead of whatever it saw coming.
contract HastyLicensee {
    ICompiledLicence private immutable LICENCE;

    constructor(ICompiledLicence licence) payable {
        LICENCE = licence;
    }

    function accept(ILicenceRegistry licences) external {
        licences.accept(address(LICENCE));
    }

    /// @dev Pays, activates and buys as often as asked, each with the turn of its moment.
    function rush(uint256 price, uint256 packPrice, uint256 packs) external {
        LICENCE.pay{value: price}(LICENCE.standing().turn);
        LICENCE.activate(LICENCE.standing().turn);
        for (uint256 i = 0; i < packs; ++i) {
            LICENCE.buy{value: packPrice}(LICENCE.standing().turn, 1);
        }
    }
}
