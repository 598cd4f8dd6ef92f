"""What the fake core answers about metadata of authenticators."""

from __future__ import annotations

from cloud_fake_state import CoreState, Members, Refused


class MetadataCalls(CoreState):
    """``mds/``: texts of BLOBs are good ones by their length."""

    def _mds_load(self, request: Members) -> Members:
        if request["blob"] == "forged":
            raise Refused("MDS_INVALID", reason="SIGNATURE")
        if request["blob"] == "old":
            raise Refused("MDS_ROLLBACK")
        counted = {"checked": 2, "invalidated": 1, "restored": 0, "usersAffected": 1, "sampleUserIds": ["u"]}
        return {
            "no": 7,
            "nextUpdate": "2026-12-01",
            "entries": 3,
            "added": 1,
            "changed": 1,
            "revoked": 1,
            "revokedAaguids": ["ee882879-721c-4913-9775-3dfcce97072a"],
            "warnings": [],
            "impact": counted if request["dryRun"] else None,
        }

    def _mds_status(self, _request: Members) -> Members:
        offer = {
            "no": None,
            "nextUpdate": None,
            "sha256": "ab" * 32,
            "source": "UPLOAD",
            "loadedAt": "2026-11-30T12:00:00.000+00:00",
            "loadedBy": "root",
            "status": "REJECTED",
            "error": "FORM",
        }
        return {
            "source": "UPLOAD",
            "state": "NONE",
            "no": None,
            "nextUpdate": None,
            "entries": 0,
            "warnings": [],
            "unreadableFiles": [],
            "history": [offer],
        }

    def _mds_entries(self, request: Members) -> Members:
        return {"entries": [{"aaguid": request.get("aaguid")}]}
