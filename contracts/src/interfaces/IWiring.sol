// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IAttestationLog} from "contracts/interfaces/IAttestationLog.sol";
import {ILicenceRegistry} from "contracts/interfaces/ILicenceRegistry.sol";
import {IModelRegistry} from "contracts/interfaces/IModelRegistry.sol";

/// @title Where a release log looks things up; a licence that knows its release log knows them all.
interface IWiring {
    /// @notice Registry of models.
    function MODELS() external view returns (IModelRegistry);

    /// @notice Log of verdicts.
    function ATTESTATIONS() external view returns (IAttestationLog);

    /// @notice Registry of licences.
    function LICENCES() external view returns (ILicenceRegistry);
}
