"""What the fake core answers about passkeys and their policy."""

from __future__ import annotations

from cloud_fake_state import CoreState, Members, Refused, iso

LISTS = {"aaguidAllowList": "none", "aaguidBlockList": "none", "upstreamAaguids": "none"}
FIGURES: Members = {
    "credentialsTotal": 2,
    "credentialsBlocked": 1,
    "byReason": {"PASSKEY_SYNCED_NOT_ALLOWED": 1},
    "usersAffected": 1,
    "usersLockedOut": 1,
    "sampleUserIds": ["user-1"],
    "unknownType": 0,
    "unattestedAaguids": 0,
    "effective": LISTS,
    "warnings": ["SYNCED_BY_CLAIM"],
    "confirmation": "confirmed",
}
MODEL = "ee882879-721c-4913-9775-3dfcce97072a"


class PasskeyCalls(CoreState):
    """``passkey/``: a policy that refuses synced passkeys takes one from a user."""

    def _passkey_policy_detail(self, request: Members) -> Members:
        found = self.find_application(request)
        return {
            "applicationId": found["applicationId"],
            "policy": found.get("policy"),
            "version": found.get("version", 0),
            "changedBy": None,
            "timestampChanged": None,
            "effective": LISTS,
            "warnings": [],
        }

    def _passkey_policy_impact(self, request: Members) -> Members:
        self.find_application(request)
        return FIGURES

    def _passkey_policy_update(self, request: Members) -> Members:
        found = self.find_application(request)
        if request.get("version") not in (None, found.get("version", 0)):
            raise Refused("PASSKEY_POLICY_CHANGED")
        taking = request["policy"].get("allowSyncedPasskeys") is False
        if taking and not request["force"] and request.get("confirmation") != FIGURES["confirmation"]:
            raise Refused(
                "PASSKEY_POLICY_IMPACT", localizedMessage="core text", warning="Confirm.", **FIGURES
            )
        found |= {"policy": request["policy"], "version": found.get("version", 0) + 1}
        return self._passkey_policy_detail(request)

    def _passkey_list(self, request: Members) -> Members:
        found = [one for one in self.activations.values() if one["protocol"] == "fido2"]
        scoped = [one for one in found if one["applicationId"] in request["applicationIds"]]
        return {"passkeys": [_passkey(one) for one in scoped if one["userId"] == request["userId"]]}

    def _passkey_remove(self, request: Members) -> Members:
        found = self.find(request)
        if found["protocol"] != "fido2":
            raise Refused("ERR0009")
        found["activationStatus"] = "REMOVED"
        return {"activationId": found["activationId"], "removed": True}

    def _passkey_statistics(self, request: Members) -> Members:
        self.find_application(request)
        return {
            "credentialsTotal": 1,
            "byAaguid": [{"aaguid": MODEL, "deviceInfo": None, "count": 1}],
            "byType": [{"passkeyType": "SYNCED", "syncedBy": "be", "count": 1}],
            "byTrust": {"NONE": 1},
            "byBlockedReason": {},
            "byMonitorVerdict": {},
        }


def _passkey(activation: Members) -> Members:
    same = ("activationId", "applicationId", "userId", "activationName", "activationStatus", "blockedReason")
    return {name: activation[name] for name in same} | {
        "blockedByPolicy": None,
        "credentialId": "AAAA",
        "passkeyType": "SYNCED",
        "syncedBy": "be",
        "aaguid": MODEL,
        "deviceInfo": None,
        "platform": "platform",
        "transports": ["internal"],
        "format": "none",
        "attestationType": None,
        "trust": "NONE",
        "anchor": None,
        "vouched": False,
        "attestationReason": None,
        "timestampCreated": iso(1_000),
        "timestampLastUsed": iso(2_000),
    }
