// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @title Which licence contract speaks for which model and licensee.
/// @notice Step 3 of the protocol.
interface ILicenceRegistry {
    /// @notice One licence.
    /// @param modelId Model it licenses.
    /// @param licensee Current licensee.
    /// @param pendingLicensee Account that may accept the licence or the licensee's role.
    /// @param lowestVersion Lowest version it covers.
    /// @param accepted True once a licensee accepted it.
    /// @param epoch Grows whenever the licensee's role moves, which ends every authorisation and operator.
    struct Grant {
        bytes32 modelId;
        address licensee;
        uint32 lowestVersion;
        uint32 epoch;
        bool accepted;
        address pendingLicensee;
    }

    event LicenceGranted(
        address indexed licence,
        bytes32 indexed modelId,
        address indexed licensee,
        uint32 lowestVersion,
        uint16 seats,
        bytes32 text
    );
    event LicenceAccepted(address indexed licence, address indexed licensee);
    event LicenseeOffered(address indexed licence, address indexed from, address indexed to);
    event LicenseeMoved(address indexed licence, address indexed from, address indexed to, uint32 epoch);
    event OperatorSet(address indexed licence, address indexed operator, bool allowed);

    error UnknownLicence(address licence);
    error AlreadyGranted(address licence);
    error NotModelOwner(bytes32 modelId, address caller);
    error NotLicensee(address licence, address caller);
    error NotPendingLicensee(address licence, address caller);
    error NotALicence(address licence);

    /// @notice Record a deployed licence contract; the model's current owner only.
    function grant(address licence, bytes32 modelId, uint32 lowestVersion, address licensee) external;

    /// @notice Accept a licence, or the licensee's role offered by its holder.
    function accept(address licence) external;

    /// @notice Offer the licensee's role; it moves when the other side accepts.
    function offerLicensee(address licence, address to) external;

    /// @notice Appoint or dismiss an account that may authorise and request for nodes; licensee only.
    function setOperator(address licence, address operator, bool allowed) external;

    /// @notice The grant; reverts `UnknownLicence`.
    function grantOf(address licence) external view returns (Grant memory);

    /// @notice What a key request needs, without reverting: zero model when unknown.
    function coverOf(address licence)
        external
        view
        returns (bytes32 modelId, uint32 lowestVersion, uint32 epoch, bool accepted);

    /// @notice Current licensee; zero when unknown or not accepted.
    function licenseeOf(address licence) external view returns (address);

    /// @notice Whether `account` is the licensee or an operator it appointed.
    function actsFor(address licence, address account) external view returns (bool);
}
