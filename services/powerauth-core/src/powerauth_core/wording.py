"""What a refused member of a request is told (spec/core-api.md §31.1).

The newer server words every check of a request as ``<member> must not be empty when <doing something>``. The
operation and template calls carry such messages in their models; the other calls get them here, by path and
member. Calls that are not named here keep the older form, ``must not be blank``.
"""

from servicekit.errors import InputProblem

PREFIX = "/rest/v3/"

DOING = {
    "application/detail": "requesting application detail",
    "application/detail/version": "looking up application by its key",
    "application/create": "creating application",
    "application/version/create": "creating application version",
    "application/version/support": "supporting application version",
    "application/version/unsupport": "unsupporting application version",
    "application/roles/list": "requesting application roles",
    "application/roles/create": "adding application roles",
    "application/roles/update": "updating application roles",
    "application/roles/remove": "removing application roles",
    "application/config/detail": "requesting application configuration",
    "application/config/create": "creating a configuration item",
    "application/config/remove": "removing a configuration item",
    "activation/init": "initiating activation",
    "activation/prepare": "preparing activation",
    "activation/create": "creating activation",
    "activation/recovery/create": "creating activation using recovery code",
    "activation/otp/update": "updating activation OTP",
    "activation/commit": "committing activation",
    "activation/status": "requesting activation status",
    "activation/list": "requesting activation list",
    "activation/lookup": "requesting activations lookup",
    "activation/status/update": "updating status of activations",
    "activation/block": "blocking activation",
    "activation/unblock": "unblocking activation",
    "activation/remove": "removing activation",
    "activation/history": "requesting activation history",
    "activation/flags/list": "requesting activation flags",
    "activation/flags/create": "adding activation flags",
    "activation/flags/update": "updating activation flags",
    "activation/flags/remove": "removing activation flags",
    "recovery/create": "creating recovery code",
    "recovery/confirm": "confirming recovery code",
    "recovery/revoke": "revoking recovery codes",
    "recovery/config/detail": "requesting recovery configuration",
    "recovery/config/update": "updating recovery configuration",
    "signature/verify": "verifying signature",
    "signature/offline/personalized/create": "creating personalized offline payload",
    "signature/offline/non-personalized/create": "creating non-personalized offline payload",
    "signature/offline/verify": "verifying offline signature",
    "signature/ecdsa/sign": "signing data",
    "signature/ecdsa/verify": "verifying signature",
    "signature/list": "requesting signature audit",
    "vault/unlock": "unlocking vault",
    "token/create": "creating token",
    "token/validate": "validating token",
    "token/remove": "removing token",
    "ecies/decryptor": "requesting decryptor",
    "keystore/create": "creating temporary key",
    "keystore/remove": "removing temporary key",
    "upgrade/start": "starting upgrade",
    "upgrade/commit": "committing upgrade",
    "integration/create": "creating integration",
    "integration/remove": "removing integration",
    "audit/log/list": "requesting audit log",
}
"""What a call does, by its path below ``/rest/v3/``."""

_EMPTY, _NULL = "must not be empty", "must not be null"

REQUIRED = {
    "activationCode": f"Activation code {_EMPTY}",
    "activationFlags": f"List of activation flags {_EMPTY}",
    "activationId": f"Activation ID {_EMPTY}",
    "activationIds": f"List of activation identifiers {_EMPTY}",
    "activationOtp": f"Activation OTP {_EMPTY}",
    "activationStatus": f"Activation status {_NULL}",
    "applicationId": f"Application ID {_EMPTY}",
    "applicationKey": f"Application key {_EMPTY}",
    "applicationRoles": f"List of application roles {_EMPTY}",
    "applicationVersionId": f"Application version ID {_EMPTY}",
    "data": f"Parameter data {_NULL}",
    "encryptedData": f"Encrypted data {_EMPTY}",
    "ephemeralPublicKey": f"Ephemeral public key {_EMPTY}",
    "id": f"Identifier {_EMPTY}",
    "jwt": f"Token {_EMPTY}",
    "key": f"Configuration key {_EMPTY}",
    "mac": f"Value of MAC {_EMPTY}",
    "name": f"Name {_EMPTY}",
    "nonce": f"Nonce {_EMPTY}",
    "protocolVersion": f"Protocol version {_EMPTY}",
    "puk": f"PUK {_EMPTY}",
    "pukCount": f"PUK count {_NULL}",
    "recoveryCode": f"Recovery code {_EMPTY}",
    "recoveryCodeIds": f"List of recovery code identifiers {_EMPTY}",
    "signature": f"Signature {_EMPTY}",
    "signatureType": f"Signature type {_NULL}",
    "signatureVersion": f"Signature version {_EMPTY}",
    "signedData": f"Signed data {_EMPTY}",
    "subjectId": f"Subject ID {_EMPTY}",
    "timestamp": f"Timestamp {_NULL}",
    "tokenDigest": f"Token digest {_EMPTY}",
    "tokenId": f"Token ID {_EMPTY}",
    "userId": f"User ID {_EMPTY}",
    "userIds": f"List of user identifiers {_EMPTY}",
}
"""What is said of a member that is absent, null or empty."""

_REQUIRED_BY_CALL = {("activation/init", "applicationId"): f"Application ID {_NULL}"}

_OUT_OF_RANGE = {
    ("maxFailureCount", "greater_than"): "Maximum failure count must be positive",
    ("pukCount", "greater_than_equal"): "The PUK count value should be positive",
    ("pukCount", "less_than_equal"): "The maximum PUK count of 100 was exceeded",
}


def expiration_in_the_past(path: str) -> str:
    """The refusal of an activation that would be over before it starts."""
    return (
        "requestObject.timestampActivationExpire - The activation expiration timestamp must be in the future"
        f" when {DOING[path]}"
    )


def reason(path: str, problem: InputProblem) -> str:
    """Why a member was refused, in the words of the call.

    :param path: of the call, inside the service
    """
    call = path.removeprefix(PREFIX)
    doing = DOING.get(call)
    member = problem.location[1] if len(problem.location) == 2 else None
    words = None
    if doing is not None and isinstance(member, str):
        if _is_missing(problem):
            words = _REQUIRED_BY_CALL.get((call, member)) or REQUIRED.get(member)
        else:
            words = _OUT_OF_RANGE.get((member, problem.kind))
    return _plain(problem) if words is None else f"{words} when {doing}"


def _is_missing(problem: InputProblem) -> bool:
    value = problem.value
    if problem.kind == "missing" or value is None or value == []:
        return True
    return isinstance(value, str) and not value.strip()


def _plain(problem: InputProblem) -> str:
    """The reason where the call has no words of its own."""
    if problem.kind == "missing" or problem.value is None:
        return "must not be null"
    if problem.kind == "string_too_short" and problem.value == "":
        return "must not be empty"
    if problem.kind == "string_pattern_mismatch" and _is_missing(problem):
        return "must not be blank"
    return problem.message
