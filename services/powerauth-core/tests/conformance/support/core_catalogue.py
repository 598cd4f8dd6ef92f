"""Every call below ``/rest/v3`` as data, transcribed from spec/core-api.md, notation as in `core_notation`.

Here are the calls of the system, applications and activations (§4 to §8, §16 to §18; cloud-api §16).
"""

from core_catalogue_use import OPERATIONS, VERIFICATION
from core_notation import ENV, EXCHANGED, SCOPED, SEALED, Call

SYSTEM = (
    Call(
        "status",
        "4",
        response="status applicationName applicationDisplayName applicationEnvironment version productVersion"
        " buildTime:date timestamp:date",
    ),
    Call("error/list", "4", response="errors:[Error]"),
    Call("telemetry/report", "17", "name! parameters?", "name reportData:map", "0024 TELEMETRY"),
    Call(
        "integration/create",
        "16",
        "name! kind+",
        "id name clientToken clientSecret",
        "0024",
    ),
    Call("integration/list", "16", response="restrictedAccess:bool items:[Integration]"),
    Call("integration/remove", "16", "id!", "id removed:bool", "0024"),
    Call("statement/keys", "D1", response="keys:[map]", ours=True),
    Call(
        "audit/log/list",
        "cloud-api 16",
        "subjectId! timestampFrom! timestampTo! applicationIds? types? minLevel? pageNumber? pageSize?",
        "items:[AuditRecord] hasNext:bool",
        "0024",
        ours=True,
    ),
)

_VERSION = "applicationId! applicationVersionId!"
_ROLES = "applicationId! applicationRoles!"
_CALLBACK = (
    "applicationId! name! type! callbackUrl! attributes? authentication? retentionPeriod? initialBackoff?"
    f" maxAttempts? {SCOPED}"
)

APPLICATIONS = (
    Call("application/list", "5", response="applications:[Application]"),
    Call(
        "application/detail",
        "5",
        "applicationId!",
        "applicationId masterPublicKey:b64 applicationRoles:[string] versions:[Version]",
        "0003 0015 0024",
    ),
    Call(
        "application/detail/version",
        "5",
        "applicationKey!",
        "applicationId",
        "0015 0024",
    ),
    Call("application/create", "5", "applicationId!", "Application", "0024 0043"),
    Call(
        "application/version/create",
        "5",
        _VERSION,
        "applicationVersionId applicationVersionName? applicationKey:b64 applicationSecret:b64"
        " supported:bool",
        "0015 0024 0043",
    ),
    Call(
        "application/version/support",
        "5",
        _VERSION,
        "applicationVersionId supported:bool",
        "0015 0024",
    ),
    Call(
        "application/version/unsupport",
        "5",
        _VERSION,
        "applicationVersionId supported:bool",
        "0015 0024",
    ),
    Call(
        "application/roles/list",
        "5",
        "applicationId!",
        "Application",
        "0015 0024",
    ),
    Call("application/roles/create", "5", _ROLES, "Application", "0015 0024"),
    Call("application/roles/update", "5", _ROLES, "Application", "0015 0024"),
    Call("application/roles/remove", "5", _ROLES, "Application", "0015 0024"),
    Call(
        "application/config/detail",
        "6",
        "applicationId!",
        "applicationId applicationConfigs:[Config]",
        "0024",
    ),
    Call(
        "application/config/create",
        "6",
        "applicationId! key! values?",
        "applicationId key values:[any]",
        "0015 0024",
    ),
    Call("application/config/remove", "6", "applicationId! key!", "-", "0024"),
    Call("application/callback/create", "18.1", _CALLBACK, "Callback", "0014 0015 0024"),
    Call("application/callback/update", "18.1", f"id! {_CALLBACK}", "Callback", "0014 0024"),
    Call(
        "application/callback/list", "18.1", f"applicationId! {SCOPED}", "callbackUrlList:[Callback]", "0024"
    ),
    Call("application/callback/remove", "18.1", f"id! {SCOPED}", "id removed:bool", "0024"),
)

_ID = f"activationId! {SCOPED}"
_CHANGED = "activationId activationFlags:[string]"
_FLAGS = f"activationId! activationFlags! {SCOPED}"
_STATUS = (
    "activationId activationStatus activationOtpValidation commitPhase blockedReason? activationName? userId"
    " extras? protocol? externalId? platform? deviceInfo? applicationId? failedAttempts:long"
    " maxFailedAttempts:long timestampCreated:date timestampLastUsed:date timestampLastChange?:date"
    " encryptedStatusBlob:b64 encryptedStatusBlobNonce?:b64 activationCode? activationSignature?:b64"
    " devicePublicKeyFingerprint? version:long activationFlags:[string] applicationRoles:[string]"
    " additionalData?:map parentActivationId?+ transferType?+"
)

ACTIVATIONS = (
    Call(
        "activation/init",
        "7.1",
        "userId! applicationId! protocol? timestampActivationExpire? maxFailureCount?"
        f" activationOtpValidation? commitPhase? activationOtp? flags? additionalData? {SCOPED}",
        "activationId activationCode activationSignature:b64 userId applicationId",
        "0003 0004 0005 0006 0015 0024",
    ),
    Call(
        "activation/prepare",
        "7.2",
        f"activationCode! applicationKey! protocolVersion? generateRecoveryCodes? {ENV} {SCOPED}",
        EXCHANGED,
        "0003 0007 0009 0010 0011 0018 0024 0031 0045",
    ),
    Call(
        "activation/create",
        "7.3",
        "userId! applicationKey! protocolVersion! timestampActivationExpire? generateRecoveryCodes?"
        f" maxFailureCount? activationOtp? additionalData? {ENV} {SCOPED}",
        EXCHANGED,
        "0003 0004 0005 0006 0010 0011 0015 0018 0024 0045",
    ),
    Call(
        "activation/recovery/create",
        "8.2",
        "recoveryCode! puk! applicationKey! protocolVersion! generateRecoveryCodes? maxFailureCount?"
        f" activationOtp? {ENV} {SCOPED}",
        EXCHANGED,
        "0003 0010 0011 0018 0024 0028 0045 RECOVERY",
    ),
    Call(
        "activation/otp/update",
        "7.5",
        f"activationId! activationOtp! externalUserId? {SCOPED}",
        "activationId updated:bool",
        "0008 0009 0024 0032",
    ),
    Call(
        "activation/commit",
        "7.4",
        f"activationId! externalUserId? activationOtp? {SCOPED}",
        "activationId activated:bool",
        "0007 0008 0009 0024 0031",
    ),
    Call(
        "activation/status",
        "7.6",
        f"activationId! challenge? {SCOPED}",
        _STATUS,
        "0003 0008 0010 0020 0021 0024",
    ),
    Call(
        "activation/list",
        "7.7",
        f"userId! applicationId? protocols? pageNumber? pageSize? activationStatuses? {SCOPED}",
        "userId activations:[Activation]",
        "0024",
    ),
    Call(
        "activation/lookup",
        "7.8",
        "userIds! applicationIds? timestampLastUsedBefore? timestampLastUsedAfter? activationStatus?"
        " activationFlags?",
        "activations:[Activation]",
        "0024",
    ),
    Call(
        "activation/status/update",
        "7.9",
        f"activationIds! activationStatus! {SCOPED}",
        "updated:bool",
        "0024",
    ),
    Call(
        "activation/block",
        "7.10",
        f"activationId! reason? externalUserId? {SCOPED}",
        "activationId activationStatus blockedReason",
        "0008 0009 0024",
    ),
    Call(
        "activation/unblock",
        "7.11",
        f"activationId! externalUserId? {SCOPED}",
        "activationId activationStatus",
        "0008 0009 0024",
    ),
    Call(
        "activation/remove",
        "7.12",
        f"activationId! externalUserId? revokeRecoveryCodes? {SCOPED}",
        "activationId removed:bool",
        "0009 0024",
    ),
    Call(
        "activation/name/update",
        "7.13",
        f"activationId! activationName! externalUserId? {SCOPED}",
        "activationId activationName activationStatus",
        "0008 0009 0024",
    ),
    Call(
        "activation/history",
        "7.14",
        f"activationId! timestampFrom? timestampTo? {SCOPED}",
        "items:[HistoryItem]",
        "0024",
    ),
    Call("activation/flags/list", "7.15", _ID, _CHANGED, "0009 0024"),
    Call("activation/flags/create", "7.15", _FLAGS, _CHANGED, "0009 0024"),
    Call("activation/flags/update", "7.15", _FLAGS, _CHANGED, "0009 0024"),
    Call("activation/flags/remove", "7.15", _FLAGS, _CHANGED, "0009 0024"),
)

RECOVERY = (
    Call(
        "recovery/create",
        "8.3",
        f"applicationId! userId! pukCount! {SCOPED}",
        "nonce:b64 userId recoveryCodeId:long recoveryCodeMasked status puks:[Puk]",
        "0024 0025 0026 0029",
    ),
    Call(
        "recovery/confirm",
        "8.4",
        f"activationId! applicationKey! protocolVersion! {ENV} {SCOPED}",
        f"activationId userId {SEALED}",
        "0008 0009 0018 0024 0027 0045",
    ),
    Call(
        "recovery/lookup",
        "8.5",
        f"userId? activationId? applicationId? recoveryCodeStatus? recoveryPukStatus? {SCOPED}",
        "recoveryCodes:[RecoveryCode]",
        "0024",
    ),
    Call(
        "recovery/revoke",
        "8.6",
        f"recoveryCodeIds! {SCOPED}",
        "revoked:bool",
        "0024",
    ),
    Call(
        "recovery/config/detail",
        "8.7",
        f"applicationId! {SCOPED}",
        "applicationId activationRecoveryEnabled:bool recoveryPostcardEnabled:bool"
        " allowMultipleRecoveryCodes:bool postcardPublicKey?:b64 remotePostcardPublicKey?:b64",
        "0024",
    ),
    Call(
        "recovery/config/update",
        "8.7",
        "applicationId! activationRecoveryEnabled? recoveryPostcardEnabled? allowMultipleRecoveryCodes?"
        f" remotePostcardPublicKey? {SCOPED}",
        "updated:bool",
        "0010 0024",
    ),
)

ENDPOINTS = (*SYSTEM, *APPLICATIONS, *ACTIVATIONS, *RECOVERY, *VERIFICATION, *OPERATIONS)

NOT_PRODUCED = {
    "0001": "not thrown by current calls",
    "0002": "replaced by 0024 in 1.10 (§31.1)",
    "0016": "obsolete (§28)",
    "0017": "the answer's encryption cannot fail for a request that was decrypted",
    "0023": "the cryptography is built in: there is no provider to initialise",
    "0035": "never thrown: see 0019 (§28)",
    "0040": "0024 in 1.10 (§31.1)",
    "0041": "a stored seed that cannot be read",
    "0042": "not thrown (§28)",
}
"""Codes of §28 that no call answers with, and why."""
