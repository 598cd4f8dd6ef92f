"""Wire models of offline approval (spec/cloud-api.md §5.4, §5.5, §6)."""

from __future__ import annotations

from types import NoneType

from powerauth_contracts.calls import Endpoint
from powerauth_contracts.cloud.verification import OtpVerified, RegistrationId
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


GET_OFFLINE_QR = Endpoint("getOfflineQr", "GET", "/operations/offline/qr", NoneType, OfflineQr)
VERIFY_OFFLINE_OTP = Endpoint(
    "verifyOfflineOtp", "POST", "/operations/offline/otp", VerifySingleOfflineOtp, OtpVerified
)
GET_OFFLINE_QR_V2 = Endpoint(
    "getOfflineQrV2", "GET", "/v2/operations/{operationId}/offline/qr", NoneType, OfflineQr
)
VERIFY_OFFLINE_OTP_V2 = Endpoint(
    "verifyOfflineOtpV2", "POST", "/v2/operations/{operationId}/offline/otp", VerifyOfflineOtp, OtpVerified
)
