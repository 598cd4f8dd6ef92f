"""Catalogue of the calls that use activations (spec/core-api.md §9 to §14, §19, §20; cloud-api §11.7)."""

from core_notation import ENV, SCOPED, SEALED, VERIFIED, Call

VERIFICATION = (
    Call(
        "signature/verify",
        "9.1",
        "activationId! applicationKey! data! signature! signatureType! signatureVersion!"
        f" forcedSignatureVersion? {SCOPED}",
        VERIFIED,
        "0008 0010 0013 0024",
    ),
    Call(
        "signature/offline/personalized/create",
        "9.4",
        f"activationId! data! nonce? proximityCheck? {SCOPED}",
        "offlineData nonce:b64",
        "0009 0024",
    ),
    Call(
        "signature/offline/non-personalized/create",
        "9.4",
        f"applicationId! data! {SCOPED}",
        "offlineData nonce:b64",
        "0003 0004 0015 0024",
    ),
    Call(
        "signature/offline/verify",
        "9.5",
        f"activationId! data! signature! componentLength? allowBiometry? proximityCheck? {SCOPED}",
        VERIFIED,
        "0010 0024",
    ),
    Call(
        "signature/ecdsa/sign",
        "9.6",
        f"activationId! data! {SCOPED}",
        "signature:b64",
        "0008 0009 0024",
    ),
    Call(
        "signature/ecdsa/verify",
        "9.6",
        f"activationId! data! signature! signatureFormat? {SCOPED}",
        "signatureValid:bool",
        "0024",
    ),
    Call(
        "signature/list",
        "9.7",
        f"userId! applicationId? timestampFrom? timestampTo? {SCOPED}",
        "items:[SignatureAudit]",
        "0024",
    ),
    Call(
        "vault/unlock",
        "10",
        "activationId! applicationKey! signedData! signature! signatureType! signatureVersion!"
        f" {ENV} {SCOPED}",
        "signatureValid:bool encryptedData?:b64 mac?:b64 nonce?:b64 timestamp?:long",
        "0011 0012 0018 0024 0045",
    ),
    Call(
        "token/create",
        "11",
        f"activationId! applicationKey! signatureType! protocolVersion! {ENV} {SCOPED}",
        SEALED,
        "0008 0009 0015 0018 0019 0024 0045",
    ),
    Call(
        "token/validate",
        "11",
        f"tokenId! tokenDigest! nonce! protocolVersion! timestamp! {SCOPED}",
        "tokenValid:bool activationId? activationStatus? blockedReason? userId? applicationId? signatureType?"
        " applicationRoles:[string] activationFlags:[string]",
        "0022 0024 0030 0044",
    ),
    Call("token/remove", "11", f"tokenId! activationId! {SCOPED}", "removed:bool", "0024"),
    Call(
        "ecies/decryptor",
        "12",
        "applicationKey! ephemeralPublicKey! protocolVersion! activationId? temporaryKeyId? nonce? timestamp?"
        f" {SCOPED}",
        "secretKey:b64 sharedInfo2:b64",
        "0003 0004 0008 0009 0010 0015 0018 0024 0045",
    ),
    Call("keystore/create", "13.1", f"jwt! {SCOPED}", "jwt", "0009 0015 0024"),
    Call("keystore/remove", "13.2", "id!", "id removed:bool", "0024"),
    Call(
        "upgrade/start",
        "14",
        f"activationId! applicationKey! protocolVersion! {ENV} {SCOPED}",
        SEALED,
        "0008 0009 0018 0024",
    ),
    Call(
        "upgrade/commit",
        "14",
        f"activationId! applicationKey! {SCOPED}",
        "committed:bool",
        "0008 0009 0024",
    ),
)

_LISTED = f"userId! applications! activationId? pageNumber? pageSize? {SCOPED}"
_ACTED = "result operation:Operation"
_TEMPLATE = (
    "operationType! signatureType! dataTemplate! expiration! maxFailureCount! riskFlags?"
    " proximityCheckEnabled?"
)

OPERATIONS = (
    Call(
        "operation/create",
        "19.2",
        "applications! templateName! userId? activationFlag? timestampExpires? externalId? parameters?"
        f" additionalData? proximityCheckEnabled? activationId? {SCOPED}",
        "Operation",
        "0015 0019 0024 0033",
    ),
    Call(
        "operation/detail",
        "19.3",
        f"operationId! userId? {SCOPED}",
        "Operation",
        "0024 0034",
    ),
    Call(
        "operation/claim",
        "31.1",
        f"operationId! userId! {SCOPED}",
        "Operation",
        "0024 0034",
    ),
    Call(
        "operation/list",
        "19.5",
        _LISTED,
        "[Operation]",
        "0015 0024",
    ),
    Call(
        "operation/list/pending",
        "19.5",
        _LISTED,
        "[Operation]",
        "0015 0024",
    ),
    Call(
        "operation/list/external",
        "19.5",
        f"externalId! applications! pageNumber? pageSize? {SCOPED}",
        "[Operation]",
        "0015 0024",
    ),
    Call(
        "operation/approve",
        "19.7",
        f"operationId! userId! applicationId! data! signatureType! additionalData? {SCOPED}",
        _ACTED,
        "0015 0024 0037",
    ),
    Call(
        "operation/approve/fail",
        "19.7",
        f"operationId! additionalData? {SCOPED}",
        _ACTED,
        "0024 0034 0036",
    ),
    Call(
        "operation/reject",
        "19.7",
        f"operationId! userId! applicationId! additionalData? {SCOPED}",
        _ACTED,
        "0015 0024 0038",
    ),
    Call(
        "operation/cancel",
        "19.7",
        f"operationId! additionalData? statusReason? {SCOPED}",
        "Operation",
        "0024 0034 0036",
    ),
    Call(
        "operation/template/create",
        "20",
        f"templateName! {_TEMPLATE}",
        "Template",
        "0024 0039",
    ),
    Call(
        "operation/template/update",
        "20",
        f"id! {_TEMPLATE}",
        "Template",
        "0024 0033",
    ),
    Call("operation/template/list", "20", response="[Template]"),
    Call(
        "operation/template/detail",
        "20",
        "id!",
        "Template",
        "0024 0033",
    ),
    Call(
        "operation/template/remove",
        "20",
        "id!",
        "-",
        "0024 0033",
    ),
    Call("operation/text/list", "cloud-api 11.7", "placeholder? language?", "texts:[Text]", ours=True),
    Call(
        "operation/text/update",
        "cloud-api 11.7",
        "placeholder! language! title! message! attributes? ui? resultTexts?",
        "Text",
        "0024",
        ours=True,
    ),
    Call(
        "operation/text/remove",
        "cloud-api 11.7",
        "placeholder! language!",
        "removed:bool",
        "0024",
        ours=True,
    ),
)
