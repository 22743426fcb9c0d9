// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ICompiledLicence} from "contracts/interfaces/ICompiledLicence.sol";
import {IModelRegistry} from "contracts/interfaces/IModelRegistry.sol";

/// @title A licensor that calls a licence while the licence pays it.
contract Reentering {
    ICompiledLicence private immutable _LICENCE;
    bytes32 private immutable _MODEL;
    bytes32 private immutable _NODE;

    bool public called;
    bool public permitted;
    bool public suspended;

    constructor(ICompiledLicence licence, bytes32 modelId, bytes32 nodeId) {
        _LICENCE = licence;
        _MODEL = modelId;
        _NODE = nodeId;
    }

    receive() external payable {
        if (called) return;
        called = true;
        (permitted,) = _LICENCE.permits(_MODEL, 1, _NODE, uint40(block.timestamp));
        try _LICENCE.suspend() {
            suspended = true;
        } catch {}
    }

    /// @notice Take the model over, and with it the licensor's role.
    function take(IModelRegistry models) external {
        models.acceptOwnership(_MODEL);
    }

    /// @notice Draw, and call again while the money comes.
    function attack() external {
        _LICENCE.draw();
    }
}
