// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {AttestationLog} from "contracts/AttestationLog.sol";
import {LicenceRegistry} from "contracts/LicenceRegistry.sol";
import {ModelRegistry} from "contracts/ModelRegistry.sol";
import {PolicyRegistry} from "contracts/PolicyRegistry.sol";
import {ReleaseLog} from "contracts/ReleaseLog.sol";
import {IAttestationLog} from "contracts/interfaces/IAttestationLog.sol";
import {IModelRegistry} from "contracts/interfaces/IModelRegistry.sol";
import {IPolicyRegistry} from "contracts/interfaces/IPolicyRegistry.sol";
import {IReleaseLog} from "contracts/interfaces/IReleaseLog.sol";
import {TermLicence} from "contracts/licence/TermLicence.sol";
import {Vm} from "./Vm.sol";

/// @title All contracts, one model under one policy with 2 of 3 verifiers, one accepted licence with two seats.
abstract contract Fixture {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    /// @dev A guest's keys and what is attested of it.
    struct Guest {
        uint256 key;
        IReleaseLog.NodeKeys keys;
        bytes32 nodeId;
        bytes32 workload;
        bytes32 platform;
    }

    uint32 internal constant LEASE = 600;
    uint32 internal constant CHALLENGE_AGE = 300;
    uint32 internal constant MAXIMUM_AGE = 3600;
    uint64 internal constant QUOTA = 100;
    uint64 internal constant ANSWERS = 1000;
    uint40 internal constant START = 1_800_000_000;
    uint40 internal constant END = START + 30 days;
    bytes32 internal constant SEAL = keccak256("seal");
    bytes32 internal constant TEXT = keccak256("text");
    bytes32 internal constant DOMAIN = "factory";
    bytes32 internal constant ENVELOPE = keccak256("envelope");

    address internal immutable owner = _account("owner");
    address internal immutable broker = _account("broker");
    address internal immutable licensee = _account("licensee");
    address internal immutable stranger = _account("stranger");

    PolicyRegistry internal policies;
    ModelRegistry internal models;
    AttestationLog internal attestations;
    LicenceRegistry internal licences;
    ReleaseLog internal releases;
    TermLicence internal licence;
    uint256[] internal judges;
    bytes32 internal policyId;
    bytes32 internal modelId;

    function setUp() public virtual {
        vm.warp(START);
        vm.roll(1000);
        _seedHashes();
        policies = new PolicyRegistry();
        models = new ModelRegistry(policies);
        attestations = new AttestationLog(policies);
        licences = new LicenceRegistry(models);
        releases = new ReleaseLog(models, policies, attestations, licences);
        _appointJudges();
        policyId = _publish("document");
        vm.prank(owner);
        modelId =
            models.registerWithVersion("bearing", SEAL, policyId, IModelRegistry.Finality.Safe, "file:///m", broker);
        licence = _license(2);
    }

    function _account(string memory name) internal pure returns (address) {
        return vm.addr(_key(name));
    }

    function _key(string memory name) internal pure returns (uint256) {
        return uint256(keccak256(bytes(name))) >> 8;
    }

    function _now() internal view returns (uint40) {
        return uint40(block.timestamp);
    }

    /// @dev Another block, `secondsLater`, whose parent has a hash.
    function _later(uint256 secondsLater) internal {
        vm.warp(block.timestamp + secondsLater);
        vm.roll(block.number + 1);
        _seedHashes();
    }

    function _seedHashes() internal {
        vm.setBlockhash(block.number - 1, keccak256(abi.encode("block", block.number - 1)));
    }

    function _enforced() internal view returns (IPolicyRegistry.Enforced memory enforced) {
        enforced.verifiers = new address[](judges.length);
        for (uint256 i = 0; i < judges.length; ++i) {
            enforced.verifiers[i] = vm.addr(judges[i]);
        }
        enforced.threshold = 2;
        enforced.minimumLevel = 1;
        enforced.maximumAge = MAXIMUM_AGE;
        enforced.challengeAge = CHALLENGE_AGE;
        enforced.depth = 1;
        enforced.lease = LEASE;
        enforced.quota = QUOTA;
        enforced.burnDomain = policies.burnDomainOf(owner, DOMAIN);
    }

    function _publish(bytes32 document) internal returns (bytes32) {
        IPolicyRegistry.Enforced memory enforced = _enforced();
        vm.prank(owner);
        return policies.publish(enforced, document);
    }

    function _draft(uint16 seats) internal view returns (TermLicence.Draft memory) {
        return TermLicence.Draft({
            models: models,
            releases: address(releases),
            modelId: modelId,
            lowestVersion: 1,
            start: START,
            end: END,
            seats: seats,
            answers: ANSWERS,
            text: TEXT
        });
    }

    function _license(uint16 seats) internal returns (TermLicence made) {
        made = new TermLicence(_draft(seats));
        _grant(address(made));
    }

    function _grant(address made) internal {
        vm.prank(owner);
        licences.grant(made, modelId, 1, licensee);
        vm.prank(licensee);
        licences.accept(made);
    }

    function _guest(string memory name) internal pure returns (Guest memory guest) {
        guest.key = _key(name);
        guest.keys = IReleaseLog.NodeKeys(keccak256(bytes.concat("hpke", bytes(name))), keccak256(bytes.concat("receipt", bytes(name))));
        guest.nodeId = keccak256(abi.encode("exequatur/v1/node", guest.keys.hpke, guest.keys.receipt, vm.addr(guest.key)));
        guest.workload = keccak256("workload");
        guest.platform = keccak256(bytes.concat("platform", bytes(name)));
    }

    function _verdict(Guest memory guest) internal view returns (IAttestationLog.Verdict memory) {
        return IAttestationLog.Verdict({
            policyId: policyId,
            nodeId: guest.nodeId,
            leaseNonce: keccak256(abi.encode("nonce", block.number)),
            evidence: keccak256(abi.encode("evidence", block.number)),
            workload: guest.workload,
            platform: guest.platform,
            level: 2,
            kinds: 1,
            place: 756,
            blockNumber: uint40(block.number - 1),
            blockHash: blockhash(block.number - 1),
            asOf: uint40(block.timestamp),
            expiry: uint40(block.timestamp) + MAXIMUM_AGE
        });
    }

    function _signature(uint256 key, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    function _signatures(IAttestationLog.Verdict memory verdict, uint256 count)
        internal
        view
        returns (bytes[] memory signatures)
    {
        bytes32 digest = attestations.digestOf(verdict);
        signatures = new bytes[](count);
        for (uint256 i = 0; i < count; ++i) {
            signatures[i] = _signature(judges[i], digest);
        }
    }

    function _record(Guest memory guest) internal {
        _submit(_verdict(guest));
    }

    function _submit(IAttestationLog.Verdict memory verdict) internal {
        attestations.record(verdict, _signatures(verdict, 2));
    }

    function _subject(Guest memory guest) internal view returns (IReleaseLog.Subject memory) {
        uint40 blockNumber = attestations.recordOf(policyId, guest.nodeId).blockNumber;
        return IReleaseLog.Subject(modelId, 1, policyId, guest.nodeId, blockNumber, address(licence));
    }

    function _request(Guest memory guest) internal returns (bytes32) {
        vm.prank(licensee);
        return releases.requestKey(modelId, 1, policyId, guest.nodeId, address(licence));
    }

    /// @dev A guest with a record, a request and a lease of the full length on a seat.
    function _live(Guest memory guest, uint16 seat) internal returns (IReleaseLog.Subject memory subject) {
        _record(guest);
        _request(guest);
        subject = _subject(guest);
        vm.prank(broker);
        releases.releaseKey(subject, seat, LEASE, QUOTA, ENVELOPE);
    }

    function _typed(bytes32 structHash) internal view returns (bytes32) {
        bytes32 separator = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Exequatur"),
                keccak256("1"),
                block.chainid,
                address(releases)
            )
        );
        return keccak256(abi.encodePacked(hex"1901", separator, structHash));
    }

    function _nodeGrant(Guest memory guest, uint40 deadline, uint256 key)
        internal
        view
        returns (IReleaseLog.NodeGrant memory grant, bytes memory signature)
    {
        grant = IReleaseLog.NodeGrant(address(licence), guest.nodeId, deadline);
        bytes32 kind = keccak256("NodeGrant(address licence,bytes32 nodeId,uint40 deadline)");
        signature = _signature(key, _typed(keccak256(abi.encode(kind, grant))));
    }

    function _stopped(Guest memory guest, IReleaseLog.Subject memory subject)
        internal
        view
        returns (IReleaseLog.Stopped memory statement, bytes memory signature)
    {
        statement = IReleaseLog.Stopped(releases.releaseOf(subject), SEAL, 0, keccak256("root"));
        signature = _signStopped(guest.key, statement);
    }

    function _signStopped(uint256 key, IReleaseLog.Stopped memory statement) internal view returns (bytes memory) {
        bytes32 kind = keccak256("Stopped(bytes32 release,bytes32 sealId,uint64 lastCounter,bytes32 root)");
        return _signature(key, _typed(keccak256(abi.encode(kind, statement))));
    }

    function _usage(IReleaseLog.Subject memory subject, uint64 first, uint64 last, bool settles)
        internal
        view
        returns (IReleaseLog.Usage memory)
    {
        return IReleaseLog.Usage(releases.releaseOf(subject), SEAL, first, last, keccak256("root"), settles);
    }

    function _signUsage(uint256 key, IReleaseLog.Usage memory usage) internal view returns (bytes memory) {
        bytes32 kind = keccak256(
            "Usage(bytes32 release,bytes32 sealId,uint64 firstCounter,uint64 lastCounter,bytes32 root,bool last)"
        );
        return _signature(key, _typed(keccak256(abi.encode(kind, usage))));
    }

    function _anchor(Guest memory guest, IReleaseLog.Subject memory subject, uint64 first, uint64 last, bool settles)
        internal
    {
        IReleaseLog.Usage memory usage = _usage(subject, first, last, settles);
        releases.anchorUsage(subject, usage, guest.keys, _signUsage(guest.key, usage));
    }

    function _end(Guest memory guest, IReleaseLog.Subject memory subject) internal {
        (IReleaseLog.Stopped memory statement, bytes memory signature) = _stopped(guest, subject);
        releases.guestStopped(subject, statement, guest.keys, signature);
    }

    function assertTrue(bool holds, string memory what) internal pure {
        require(holds, what);
    }

    function assertEq(uint256 found, uint256 expected) internal pure {
        if (found != expected) revert Differs(bytes32(found), bytes32(expected));
    }

    function assertEq(bytes32 found, bytes32 expected) internal pure {
        if (found != expected) revert Differs(found, expected);
    }

    function assertEq(address found, address expected) internal pure {
        if (found != expected) revert Differs(bytes32(bytes20(found)), bytes32(bytes20(expected)));
    }

    error Differs(bytes32 found, bytes32 expected);

    function _appointJudges() private {
        for (uint256 i = 0; i < 3; ++i) {
            judges.push(uint256(keccak256(abi.encode("judge", i))) >> 8);
        }
        for (uint256 i = 0; i < 3; ++i) {
            for (uint256 j = i + 1; j < 3; ++j) {
                if (vm.addr(judges[j]) < vm.addr(judges[i])) (judges[i], judges[j]) = (judges[j], judges[i]);
            }
        }
    }
}
