// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IPolicyRegistry} from "contracts/interfaces/IPolicyRegistry.sol";
import {TermsSlot, pack, withdrawPolicy, withdrawVerifier as withoutVerifier} from "contracts/TermsSlot.sol";

/// @title Attestation policies and what their controllers took back.
contract PolicyRegistry is IPolicyRegistry {
    mapping(bytes32 policyId => TermsSlot) private _terms;
    mapping(bytes32 policyId => address) private _controllers;
    mapping(bytes32 policyId => bytes32) private _domains;
    mapping(bytes32 policyId => mapping(address verifier => uint256)) private _positions;
    mapping(bytes32 burnDomain => mapping(bytes16 platform => bool)) private _burnt;
    mapping(bytes32 burnDomain => mapping(bytes16 workload => bool)) private _recalled;
    mapping(bytes32 burnDomain => bool) private _used;

    /// @inheritdoc IPolicyRegistry
    function publish(Enforced calldata enforced, bytes32 documentDigest) external returns (bytes32 policyId) {
        _requireSound(enforced);
        policyId = keccak256(
            abi.encode("exequatur/v1/policy", block.chainid, address(this), msg.sender, enforced, documentDigest)
        );
        if (_controllers[policyId] != address(0)) revert AlreadyPublished(policyId);
        _terms[policyId] = pack(enforced);
        _controllers[policyId] = msg.sender;
        if (enforced.burnDomain != bytes32(0)) _domains[policyId] = enforced.burnDomain;
        for (uint256 i = 0; i < enforced.verifiers.length; ++i) {
            _positions[policyId][enforced.verifiers[i]] = i + 1;
        }
        emit PolicyPublished(policyId, msg.sender, documentDigest, enforced);
    }

    /// @inheritdoc IPolicyRegistry
    function withdraw(bytes32 policyId) external {
        _requireController(policyId);
        TermsSlot slot = _terms[policyId];
        if (!slot.inForce()) revert AlreadyWithdrawn(policyId);
        _terms[policyId] = withdrawPolicy(slot);
        emit PolicyWithdrawn(policyId);
    }

    /// @inheritdoc IPolicyRegistry
    function withdrawVerifier(bytes32 policyId, address verifier) external {
        _requireController(policyId);
        uint32 bit = verifierBit(policyId, verifier);
        if (bit == 0) revert UnknownVerifier(policyId, verifier);
        TermsSlot slot = _terms[policyId];
        if (slot.withdrawnVerifiers() & bit != 0) revert VerifierAlreadyWithdrawn(policyId, verifier);
        _terms[policyId] = withoutVerifier(slot, bit);
        emit VerifierWithdrawn(policyId, verifier, uint8(_positions[policyId][verifier] - 1));
    }

    /// @inheritdoc IPolicyRegistry
    function burn(bytes32 name, bytes16 platform) external {
        bytes32 domain = burnDomainOf(msg.sender, name);
        if (_burnt[domain][platform]) revert AlreadyBurnt(domain, platform);
        _burnt[domain][platform] = true;
        _used[domain] = true;
        emit PlatformBurnt(domain, platform);
    }

    /// @inheritdoc IPolicyRegistry
    function recall(bytes32 name, bytes16 workload) external {
        bytes32 domain = burnDomainOf(msg.sender, name);
        if (_recalled[domain][workload]) revert AlreadyRecalled(domain, workload);
        _recalled[domain][workload] = true;
        _used[domain] = true;
        emit WorkloadRecalled(domain, workload);
    }

    /// @inheritdoc IPolicyRegistry
    function burnDomainOf(address controller, bytes32 name) public view returns (bytes32) {
        return keccak256(abi.encode("exequatur/v1/burn-domain", block.chainid, address(this), controller, name));
    }

    /// @inheritdoc IPolicyRegistry
    function termsOf(bytes32 policyId) external view returns (Terms memory) {
        return _terms[policyId].unpack();
    }

    /// @inheritdoc IPolicyRegistry
    function rulingOf(bytes32 policyId, bytes16 workload, bytes16 platform)
        external
        view
        returns (uint256 terms, bool recalled, bool burnt)
    {
        (recalled, burnt) = takenBack(policyId, workload, platform);
        return (TermsSlot.unwrap(_terms[policyId]), recalled, burnt);
    }

    /// @inheritdoc IPolicyRegistry
    function controllerOf(bytes32 policyId) external view returns (address) {
        return _controllers[policyId];
    }

    /// @inheritdoc IPolicyRegistry
    function verifierBit(bytes32 policyId, address verifier) public view returns (uint32) {
        uint256 position = _positions[policyId][verifier];
        return position == 0 ? 0 : uint32(1 << (position - 1));
    }

    /// @inheritdoc IPolicyRegistry
    function takenBack(bytes32 policyId, bytes16 workload, bytes16 platform)
        public
        view
        returns (bool recalled, bool burnt)
    {
        bytes32 domain = _domains[policyId];
        if (domain == bytes32(0) || !_used[domain]) return (false, false);
        return (_recalled[domain][workload], _burnt[domain][platform]);
    }

    function _requireSound(Enforced calldata enforced) private pure {
        uint256 count = enforced.verifiers.length;
        if (count == 0 || count > 32) revert VerifierCount(count);
        for (uint256 i = 1; i < count; ++i) {
            if (enforced.verifiers[i - 1] >= enforced.verifiers[i]) revert VerifiersNotAscending(i);
        }
        if (enforced.threshold == 0 || enforced.threshold > count) {
            revert ThresholdOutOfRange(enforced.threshold, count);
        }
        if (enforced.minimumLevel > 4) revert LevelOutOfRange(enforced.minimumLevel);
        if (enforced.lease == 0 || enforced.challengeAge == 0 || enforced.quota == 0) revert ZeroTerm();
        if (enforced.maximumAge < uint256(enforced.lease) + enforced.challengeAge) {
            revert AgeBelowLease(enforced.maximumAge, enforced.lease, enforced.challengeAge);
        }
    }

    function _requireController(bytes32 policyId) private view {
        address controller = _controllers[policyId];
        if (controller == address(0)) revert UnknownPolicy(policyId);
        if (controller != msg.sender) revert NotController(policyId, msg.sender);
    }
}
