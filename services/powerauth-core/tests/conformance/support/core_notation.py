"""How the catalogue of calls is written.

Notation of requests: ``name!`` is required, ``name?`` optional, ``name+`` optional and an addition of ours
(D21 and the like). Of responses: ``name`` is never null, ``name?`` may be, ``:type`` is what it holds
(``string`` if nothing is said; ``[T]`` a list; a capital letter a shape of `SHAPES`), ``+`` an addition of
ours. ``-`` is an answer without ``responseObject``.
"""

from __future__ import annotations

from dataclasses import dataclass

SHAPES = {
    "Error": "code value",
    "Application": "applicationId applicationRoles:[string]",
    "Version": "applicationVersionId applicationKey:b64 applicationSecret:b64 mobileSdkConfig:b64"
    " supported:bool",
    "Config": "key values:[any]",
    "Certificate": "enabled:bool useCustomKeyStore:bool keyStoreLocation? keyStorePasswordSet:bool keyAlias?"
    " keyPasswordSet:bool useCustomTrustStore:bool trustStoreLocation? trustStorePasswordSet:bool",
    "Basic": "enabled:bool username? passwordSet:bool",
    "OAuth2": "enabled:bool tokenUri? clientId? clientSecretSet:bool scope?",
    "Authentication": "certificate?:Certificate httpBasic?:Basic oauth2?:OAuth2",
    "Callback": "id applicationId name type callbackUrl attributes:[string] authentication:Authentication"
    " retentionPeriod initialBackoff maxAttempts:long",
    "Integration": "id name clientToken clientSecret",
    "Activation": "activationId activationStatus blockedReason? activationName? externalId? extras? protocol"
    " platform? deviceInfo? activationFlags:[string] timestampCreated:date timestampLastUsed:date"
    " timestampLastChange?:date userId applicationId applicationName? failedAttempts:long"
    " maxFailedAttempts:long devicePublicKeyBase64?:b64 version:long additionalData?:map"
    " parentActivationId?+ transferType?+",
    "HistoryItem": "id:long activationId activationStatus eventReason? externalUserId? activationName?"
    " timestampCreated:date version?:long",
    "Puk": "pukIndex:long pukDerivationIndex:long status",
    "RecoveryCode": "recoveryCodeId:long recoveryCodeMasked userId applicationId activationId? status"
    " puks:[Puk]",
    "KeyValue": "key value",
    "SignatureAudit": "id:long userId applicationId activationId activationCounter:long"
    " activationCtrData?:b64 activationStatus additionalInfo:[KeyValue] dataBase64:b64 signatureVersion?"
    " signatureType signature note valid:bool version:long timestampCreated:date",
    "Operation": "id userId? applications:[string] externalId? activationFlag? operationType templateName?"
    " data parameters:map additionalData:map status statusReason? signatureType:[string] failureCount:long"
    " maxFailureCount:long timestampCreated:date timestampExpires:date timestampFinalized?:date riskFlags?"
    " proximityOtp? activationId?",
    "Template": "id:long templateName operationType dataTemplate signatureType:[string]"
    " maxFailureCount:long expiration:long riskFlags? proximityCheckEnabled:bool",
    "Text": "placeholder language title message attributes? ui? resultTexts?",
    "AuditRecord": "id subjectId? applicationName type? level timestamp?:date message param:map",
}

ENV = "ephemeralPublicKey! encryptedData! mac! temporaryKeyId? nonce? timestamp?"
SEALED = "encryptedData:b64 mac:b64 nonce?:b64 timestamp?:long"
EXCHANGED = f"activationId userId applicationId activationStatus {SEALED}"
VERIFIED = (
    "signatureValid:bool activationStatus blockedReason? activationId userId? applicationId? signatureType?"
    " remainingAttempts?:long applicationRoles:[string] activationFlags:[string]"
)
SCOPED = "applicationIds+"


@dataclass(frozen=True, slots=True)
class Call:
    """One call.

    :ivar errors: codes that its section lists, without ``ERR``
    :ivar ours: an addition that is not in the catalogue of §3
    """

    path: str
    section: str
    request: str = ""
    response: str = "-"
    errors: str = ""
    ours: bool = False
