// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IPolicyRegistry} from "contracts/interfaces/IPolicyRegistry.sol";
import {TermsSlot, pack} from "contracts/TermsSlot.sol";

/// @title Attestation policies and what their controllers took back.
contract PolicyRegistry is IPolicyRegistry {
    mapping(bytes32 policyId => TermsSlot) private _terms;
    mapping(bytes32 policyId => address) private _controllers;
    mapping(bytes32 policyId => mapping(address verifier => uint256)) private _positions;
    uint256 private _domains;
    mapping(bytes32 burnDomain => uint256 number) private _numbers;
    mapping(uint256 domain => uint256 leadingBytes) private _filters;
    mapping(uint256 domain => mapping(bytes16 platform => bool)) private _burnt;
    mapping(uint256 domain => mapping(bytes16 workload => bool)) private _recalled;

    /// @inheritdoc IPolicyRegistry
    function publish(Enforced calldata enforced, bytes32 documentDigest) external returns (bytes32 policyId) {
        _requireSound(enforced);
        policyId = keccak256(
            abi.encode("exequatur/v1/policy", block.chainid, address(this), msg.sender, enforced, documentDigest)
        );
        if (_controllers[policyId] != address(0)) revert AlreadyPublished(policyId);
        uint256 domain = enforced.burnDomain == bytes32(0) ? 0 : _numberOf(enforced.burnDomain);
        _terms[policyId] = pack(enforced, domain);
        _controllers[policyId] = msg.sender;
        for (uint256 i = 0; i < enforced.verifiers.length; ++i) {
            _positions[policyId][enforced.verifiers[i]] = i + 1;
        }
        emit PolicyPublished(policyId, msg.sender, documentDigest, enforced);
    }

    /// @inheritdoc IPolicyRegistry
    function withdraw(bytes32 policyId) external {
        _requireController(policyId);
        TermsSlot terms = _terms[policyId];
        if (!terms.inForce()) revert AlreadyWithdrawn(policyId);
        _terms[policyId] = terms.withdrawPolicy();
        emit PolicyWithdrawn(policyId);
    }

    /// @inheritdoc IPolicyRegistry
    function withdrawVerifier(bytes32 policyId, address verifier) external {
        _requireController(policyId);
        uint32 bit = verifierBit(policyId, verifier);
        if (bit == 0) revert UnknownVerifier(policyId, verifier);
        TermsSlot terms = _terms[policyId];
        if (terms.withdrawnVerifiers() & bit != 0) revert VerifierAlreadyWithdrawn(policyId, verifier);
        _terms[policyId] = terms.withdrawVerifier(bit);
        emit VerifierWithdrawn(policyId, verifier, uint8(_positions[policyId][verifier] - 1));
    }

    /// @inheritdoc IPolicyRegistry
    function burn(bytes32 name, bytes16 platform) external {
        bytes32 domain = burnDomainOf(msg.sender, name);
        uint256 number = _numberOf(domain);
        if (_burnt[number][platform]) revert AlreadyBurnt(domain, platform);
        _burnt[number][platform] = true;
        _filters[number] |= _leading(platform);
        emit PlatformBurnt(domain, platform);
    }

    /// @inheritdoc IPolicyRegistry
    function recall(bytes32 name, bytes16 workload) external {
        bytes32 domain = burnDomainOf(msg.sender, name);
        uint256 number = _numberOf(domain);
        if (_recalled[number][workload]) revert AlreadyRecalled(domain, workload);
        _recalled[number][workload] = true;
        _filters[number] |= _leading(workload);
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
    function controllerOf(bytes32 policyId) external view returns (address) {
        return _controllers[policyId];
    }

    /// @inheritdoc IPolicyRegistry
    function verifierBit(bytes32 policyId, address verifier) public view returns (uint32) {
        uint256 position = _positions[policyId][verifier];
        return position == 0 ? 0 : uint32(1 << (position - 1));
    }

    /// @inheritdoc IPolicyRegistry
    function takenBack(bytes32 policyId, bytes16 workload, bytes16 platform) external view returns (bool, bool) {
        return _takenBack(_terms[policyId], workload, platform);
    }

    /// @inheritdoc IPolicyRegistry
    function rulingOf(bytes32 policyId, bytes16 workload, bytes16 platform)
        external
        view
        returns (uint256 terms, bool recalled, bool burnt)
    {
        TermsSlot slot = _terms[policyId];
        (recalled, burnt) = _takenBack(slot, workload, platform);
        terms = TermsSlot.unwrap(slot);
    }

    /// @dev The filter has a bit for the first byte of everything taken back in the domain: most verdicts need no more.
    function _takenBack(TermsSlot terms, bytes16 workload, bytes16 platform)
        private
        view
        returns (bool recalled, bool burnt)
    {
        uint256 domain = terms.domain();
        if (domain == 0) return (false, false);
        uint256 filter = _filters[domain];
        recalled = filter & _leading(workload) != 0 && _recalled[domain][workload];
        burnt = filter & _leading(platform) != 0 && _burnt[domain][platform];
    }

    function _leading(bytes16 half) private pure returns (uint256) {
        return 1 << uint8(bytes1(half));
    }

    function _numberOf(bytes32 burnDomain) private returns (uint256 number) {
        number = _numbers[burnDomain];
        if (number != 0) return number;
        number = ++_domains;
        _numbers[burnDomain] = number;
    }

    function _requireSound(Enforced calldata enforced) private pure {
        uint256 count = enforced.verifiers.length;
        if (count == 0 || count > 32) revert VerifierCount(count);
        address last = address(0);
        for (uint256 i = 0; i < count; ++i) {
            if (enforced.verifiers[i] <= last) revert VerifiersNotAscending(i);
            last = enforced.verifiers[i];
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
