"""What the fake core answers, call by call; the name of a method is the path of its call."""

from __future__ import annotations

import json
from collections.abc import Callable
from uuid import uuid4

from cloud_fake_state import GOOD_CODE, GOOD_OFFLINE_CODE, CoreState, Members, Refused, b64, iso


class ActivationCalls(CoreState):
    """``activation/``, ``signature/`` and ``token/``."""

    # Activations.

    def _activation_init(self, request: Members) -> Members:
        self.find_application(request)
        activation_id = self.activation(
            request["applicationId"],
            request["userId"],
            "CREATED",
            commitPhase=request.get("commitPhase", "ON_COMMIT"),
            otp=request.get("activationOtp"),
            activationFlags=request.get("flags", []),
        )
        return {
            "activationId": activation_id,
            "activationCode": "AAAAA-BBBBB-CCCCC-DDDDD",
            "activationSignature": b64(b"init" + uuid4().bytes),
            "userId": request["userId"],
            "applicationId": request["applicationId"],
        }

    def _activation_status(self, request: Members) -> Members:
        try:
            found = self.find(request)
        except Refused:
            return {
                "activationId": request["activationId"],
                "activationStatus": "REMOVED",
                "userId": "unknown",
                "activationName": "unknown",
                "applicationId": None,
                "activationOtpValidation": "NONE",
                "commitPhase": "ON_COMMIT",
                "failedAttempts": 0,
                "maxFailedAttempts": 5,
                "encryptedStatusBlob": "",
                "version": 0,
                "timestampCreated": iso(0),
                "timestampLastUsed": iso(0),
                "activationFlags": [],
                "applicationRoles": [],
            }
        in_code = found["activationStatus"] == "CREATED"
        return {
            **found,
            "activationCode": found["activationCode"] if in_code else None,
            "activationSignature": b64(uuid4().bytes) if in_code else None,
            "applicationRoles": [],
        }

    def _activation_list(self, request: Members) -> Members:
        wanted = request.get("activationStatuses")
        found = [
            item
            for item in self.activations.values()
            if item["userId"] == request["userId"]
            and item["applicationId"] in request["applicationIds"]
            and (not wanted or item["activationStatus"] in wanted)
        ]
        found.sort(key=lambda item: item["timestampCreated"], reverse=True)
        start = request["pageNumber"] * request["pageSize"]
        return {"userId": request["userId"], "activations": found[start : start + request["pageSize"]]}

    def _activation_lookup(self, request: Members) -> Members:
        return {
            "activations": [
                item
                for item in self.activations.values()
                if item["userId"] in request["userIds"]
                and item["applicationId"] in request["applicationIds"]
                and request.get("activationStatus") in (None, item["activationStatus"])
                and set(request.get("activationFlags") or ()) <= set(item["activationFlags"])
            ]
        }

    def _activation_commit(self, request: Members) -> Members:
        found = self.find(request)
        if found["activationStatus"] == "REMOVED":
            raise Refused("ERR0007")
        if found["activationStatus"] != "PENDING_COMMIT":
            raise Refused("ERR0008")
        if found["otp"] is not None and found["otp"] != request.get("activationOtp"):
            found["failedAttempts"] += 1
            if found["failedAttempts"] >= found["maxFailedAttempts"]:
                found["activationStatus"] = "REMOVED"
            raise Refused("ERR0031")
        found |= {"activationStatus": "ACTIVE", "failedAttempts": 0}
        return {"activationId": found["activationId"], "activated": True}

    def _activation_block(self, request: Members) -> Members:
        found = self.find(request)
        if found["activationStatus"] == "ACTIVE":
            found |= {
                "activationStatus": "BLOCKED",
                "blockedReason": request.get("reason") or "NOT_SPECIFIED",
            }
        elif found["activationStatus"] != "BLOCKED":
            raise Refused("ERR0008")
        return {"activationId": found["activationId"], "activationStatus": "BLOCKED"}

    def _activation_unblock(self, request: Members) -> Members:
        found = self.find(request)
        if found["activationStatus"] not in ("ACTIVE", "BLOCKED"):
            raise Refused("ERR0008")
        found |= {"activationStatus": "ACTIVE", "blockedReason": None, "failedAttempts": 0}
        return {"activationId": found["activationId"], "activationStatus": "ACTIVE"}

    def _activation_remove(self, request: Members) -> Members:
        found = self.find(request)
        found["activationStatus"] = "REMOVED"
        return {"activationId": found["activationId"], "removed": True}

    def _activation_otp_update(self, request: Members) -> Members:
        found = self.find(request)
        if found["activationStatus"] != "PENDING_COMMIT":
            raise Refused("ERR0008")
        found["otp"] = request["activationOtp"]
        return {"activationId": found["activationId"], "updated": True}

    def _activation_name_update(self, request: Members) -> Members:
        found = self.find(request)
        if found["activationStatus"] not in ("PENDING_COMMIT", "ACTIVE"):
            raise Refused("ERR0008")
        found["activationName"] = request["activationName"]
        return {"activationId": found["activationId"], "activationName": request["activationName"]}

    def _activation_history(self, request: Members) -> Members:
        return {"items": [item for item in self.history if item["activationId"] == request["activationId"]]}

    def _activation_flags_list(self, request: Members) -> Members:
        return _flags(self.find(request))

    def _activation_flags_create(self, request: Members) -> Members:
        found = self.find(request)
        found["activationFlags"] = sorted({*found["activationFlags"], *request["activationFlags"]})
        return _flags(found)

    def _activation_flags_update(self, request: Members) -> Members:
        found = self.find(request)
        if not request["activationFlags"]:
            raise Refused("ERR0024")
        found["activationFlags"] = sorted(request["activationFlags"])
        return _flags(found)

    def _activation_flags_remove(self, request: Members) -> Members:
        found = self.find(request)
        found["activationFlags"] = [
            flag for flag in found["activationFlags"] if flag not in request["activationFlags"]
        ]
        return _flags(found)

    # Verification.

    def _signature_verify(self, request: Members) -> Members:
        return self._verify(request, request["signature"] == GOOD_CODE, request["signatureType"])

    def _signature_offline_verify(self, request: Members) -> Members:
        return self._verify(request, request["signature"] == GOOD_OFFLINE_CODE, "POSSESSION_KNOWLEDGE")

    def _verify(self, request: Members, right: bool, signature_type: str) -> Members:
        short = {"signatureValid": False, "activationId": request["activationId"]}
        try:
            found = self.find(request)
        except Refused:
            return {**short, "activationStatus": "REMOVED", "applicationRoles": [], "activationFlags": []}
        if found["activationStatus"] != "ACTIVE":
            return {
                **short,
                "activationStatus": found["activationStatus"],
                "blockedReason": found["blockedReason"],
            }
        found["failedAttempts"] = 0 if right else found["failedAttempts"] + 1
        if found["failedAttempts"] >= found["maxFailedAttempts"]:
            found |= {"activationStatus": "BLOCKED", "blockedReason": "MAX_FAILED_ATTEMPTS"}
        return {
            "signatureValid": right,
            "activationStatus": found["activationStatus"],
            "blockedReason": found["blockedReason"],
            "activationId": found["activationId"],
            "userId": found["userId"],
            "applicationId": found["applicationId"],
            "signatureType": signature_type,
            "remainingAttempts": found["maxFailedAttempts"] - found["failedAttempts"],
            "applicationRoles": ["ROLE_A"],
            "activationFlags": found["activationFlags"],
        }

    def _signature_offline_personalized_create(self, request: Members) -> Members:
        self.find(request)
        nonce = request.get("nonce") or b64(uuid4().bytes)
        return {"offlineData": f"{request['data']}\n{nonce}\n1MEUC", "nonce": nonce}

    def _signature_offline_non_personalized_create(self, request: Members) -> Members:
        self.find_application(request)
        nonce = b64(uuid4().bytes)
        return {"offlineData": f"{request['data']}\n{nonce}\n0MEUC", "nonce": nonce}

    def _signature_ecdsa_verify(self, request: Members) -> Members:
        self.find(request)
        return {"signatureValid": request["signature"] == b64(b"good")}

    def _signature_list(self, request: Members) -> Members:
        return {
            "items": [
                item
                for item in self.signature_audit
                if item["userId"] == request["userId"] and item["applicationId"] in request["applicationIds"]
            ]
        }

    def _token_validate(self, request: Members) -> Members:
        found = self.tokens.get(request["tokenId"])
        if found is None or found["applicationId"] not in request["applicationIds"]:
            return {"tokenValid": False, "applicationRoles": [], "activationFlags": []}
        return {**found, "tokenValid": request["tokenDigest"] == GOOD_CODE}


def _flags(activation: Members) -> Members:
    return {name: activation[name] for name in ("activationId", "activationFlags")}


class OperationCalls(CoreState):
    """``operation/``."""

    # Operations.

    def _operation_create(self, request: Members) -> Members:
        template = next(
            (item for item in self.templates.values() if item["templateName"] == request["templateName"]),
            None,
        )
        if template is None:
            raise Refused("ERR0033")
        if "over" in template:
            raise Refused("ERROR_TOO_MANY_REQUESTS", status=429)
        if "missing" in template:
            raise Refused("ERR0024", missingParameters=template["missing"])
        operation_id = self.operation(
            *request["applications"],
            user_id=request.get("userId"),
            externalId=request.get("externalId"),
            activationFlag=request.get("activationFlag"),
            activationId=request.get("activationId"),
            operationType=template["operationType"],
            templateName=template["templateName"],
            signatureType=template["signatureType"],
            parameters=request.get("parameters") or {},
            additionalData=request.get("additionalData") or {},
            proximityOtp="12345678" if request.get("proximityCheckEnabled") else None,
        )
        return self.operations[operation_id]

    def _operation_detail(self, request: Members) -> Members:
        return self.find_operation(request)

    def _operation_list(self, request: Members) -> list[Members]:
        return self._listed(request, lambda item: item["userId"] == request["userId"])

    def _operation_list_pending(self, request: Members) -> list[Members]:
        return self._listed(
            request, lambda item: item["userId"] == request["userId"] and item["status"] == "PENDING"
        )

    def _operation_list_external(self, request: Members) -> list[Members]:
        return self._listed(request, lambda item: item["externalId"] == request["externalId"])

    def _listed(self, request: Members, matches: Callable[[Members], bool]) -> list[Members]:
        return [
            item
            for item in self.operations.values()
            if matches(item) and not set(request["applications"]).isdisjoint(item["applications"])
        ]

    def _operation_claim(self, request: Members) -> Members:
        found = self.find_operation(request)
        if found["userId"] not in (None, request["userId"]):
            raise Refused("ERR0034")
        found["userId"] = request["userId"]
        return found

    def _operation_approve(self, request: Members) -> Members:
        found = self.find_operation(request, "ERR0037")
        if found["status"] != "PENDING":
            raise Refused("ERR0037")
        found |= {"status": "APPROVED", "userId": request["userId"], "timestampFinalized": iso(self.moment())}
        found["additionalData"] |= request["additionalData"]
        return {"result": "APPROVED", "operation": found}

    def _operation_approve_fail(self, request: Members) -> Members:
        found = self.find_operation(request)
        if found["status"] != "PENDING":
            raise Refused("ERR0036")
        found["failureCount"] += 1
        if found["failureCount"] >= found["maxFailureCount"]:
            found["status"] = "FAILED"
        found["additionalData"] |= request.get("additionalData") or {}
        failed = found["status"] == "FAILED"
        return {"result": "OPERATION_FAILED" if failed else "APPROVAL_FAILED", "operation": found}

    def _operation_reject(self, request: Members) -> Members:
        found = self.find_operation(request, "ERR0038")
        if found["status"] != "PENDING" or found["userId"] not in (None, request["userId"]):
            raise Refused("ERR0038")
        found |= {"status": "REJECTED", "userId": request["userId"]}
        return {"result": "REJECTED", "operation": found}

    def _operation_cancel(self, request: Members) -> Members:
        found = self.find_operation(request)
        if found["status"] != "PENDING":
            raise Refused("ERR0036")
        found |= {"status": "CANCELED", "statusReason": request.get("statusReason")}
        return found

    # Templates and texts.

    def _operation_template_list(self, _request: Members) -> list[Members]:
        return list(self.templates.values())

    def _operation_template_create(self, request: Members) -> Members:
        if any(item["templateName"] == request["templateName"] for item in self.templates.values()):
            raise Refused("ERR0039")
        return self.template(request["templateName"], **request)

    def _operation_template_update(self, request: Members) -> Members:
        found = self.templates[request["id"]]
        found |= request
        return found

    def _operation_template_remove(self, request: Members) -> None:
        del self.templates[request["id"]]

    def _operation_text_list(self, request: Members) -> Members:
        wanted = request.get("placeholder")
        return {"texts": [text for text in self.texts.values() if wanted in (None, text["placeholder"])]}

    def _operation_text_update(self, request: Members) -> Members:
        text = {
            name: json.dumps(value) if isinstance(value, list | dict) else value
            for name, value in {"attributes": None, "ui": None, "resultTexts": None, **request}.items()
        }
        self.texts[request["placeholder"], request["language"]] = text
        return text

    def _operation_text_remove(self, request: Members) -> Members:
        return {"removed": self.texts.pop((request["placeholder"], request["language"]), None) is not None}
