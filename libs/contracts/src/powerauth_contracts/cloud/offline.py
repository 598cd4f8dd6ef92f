"""Wire models of offline approval (spec/cloud-api.md §5.4, §5.5, §6)."""

from __future__ import annotations

from powerauth_contracts.cloud.verification import RegistrationId
from powerauth_contracts.wire import RequestModel, WireModel


class OfflineQr(WireModel):
    """``GET …/offline/qr``; the bank keeps ``nonce`` for the verification."""

    operation_qr_code_data: str
    nonce: str


class VerifyOfflineOtp(RequestModel):
    """``POST …/offline/otp``."""

    otp: str
    nonce: str
    registration_id: RegistrationId


class VerifySingleOfflineOtp(RequestModel):
    """``POST /operations/offline/otp``."""

    operation_id: str
    otp: str
    nonce: str
