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

    /// @notice A licence was recorded and offered to its licensee.
    /// @param licence Address of the licence contract.
    /// @param modelId The model.
    /// @param licensee The licensee.
    /// @param lowestVersion Lowest version covered.
    /// @param seats How many nodes may run at once.
    /// @param text Digest of the text.
    event LicenceGranted(
        address indexed licence,
        bytes32 indexed modelId,
        address indexed licensee,
        uint32 lowestVersion,
        uint16 seats,
        bytes32 text
    );

    /// @notice The first licensee accepted; the licence counts from now on.
    /// @param licence Address of the licence contract.
    /// @param licensee The licensee.
    event LicenceAccepted(address indexed licence, address indexed licensee);

    /// @notice The licensee's role was offered; zero takes an offer back.
    /// @param licence Address of the licence contract.
    /// @param from Who had it.
    /// @param to Who gets it.
    event LicenseeOffered(address indexed licence, address indexed from, address indexed to);

    /// @notice The licensee's role moved; authorisations and operators of the former one ended.
    /// @param licence Address of the licence contract.
    /// @param from Who had it.
    /// @param to Who gets it.
    /// @param epoch Licensee's epoch; grows as its role moves.
    event LicenseeMoved(address indexed licence, address indexed from, address indexed to, uint32 epoch);

    /// @notice An account may act for the licensee, or no longer.
    /// @param licence Address of the licence contract.
    /// @param operator The account.
    /// @param allowed Whether it may from now on.
    event OperatorSet(address indexed licence, address indexed operator, bool allowed);

    /// @notice No such licence was granted.
    /// @param licence Address of the licence contract.
    error UnknownLicence(address licence);

    /// @notice The licence was granted before.
    /// @param licence Address of the licence contract.
    error AlreadyGranted(address licence);

    /// @notice Only the model's owner may do this.
    /// @param modelId The model.
    /// @param caller Account that tried.
    error NotModelOwner(bytes32 modelId, address caller);

    /// @notice Only the licensee may do this.
    /// @param licence Address of the licence contract.
    /// @param caller Account that tried.
    error NotLicensee(address licence, address caller);

    /// @notice Neither licence nor role was offered to the caller.
    /// @param licence Address of the licence contract.
    /// @param caller Account that tried.
    error NotPendingLicensee(address licence, address caller);

    /// @notice The account does not answer `seats` and `text`.
    /// @param licence Address of the licence contract.
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
