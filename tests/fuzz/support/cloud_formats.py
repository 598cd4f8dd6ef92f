"""What the bank's API reads beside its models: codes, queries, texts, claims (spec/cloud-api.md)."""

from __future__ import annotations

from pydantic import ValidationError
from wire_formats import WireFormat

from cloud_private_api.auth.bearer import texts
from cloud_private_api.errors import CloudError
from cloud_private_api.localizations.rules import fill_mobile_text, fill_push_text
from cloud_private_api.parameters import is_core_id, is_storable
from cloud_private_api.passwords import is_hash
from cloud_private_api.registrations.rules import checked_otp
from cloud_private_api.templates.rules import checked_language
from cloud_private_api.verification.routes import signed_request
from cloud_private_api.verification.rules import decoded, normalized_data, typed_code
from powerauth_contracts.cloud.callbacks import SaveCallback
from powerauth_contracts.cloud.operations import CreateOperation
from powerauth_contracts.cloud.verification import VerifySignature
from powerauth_protocol.common.json_text import JsonError, read_first_json, write_json

NONCE = "A" * 22 + "=="
PARAMETERS = {"amount": "10.5", "note": "${amount}", "none": None}
TEXTS = ["Pay ${amount}: ${note:-none} $${amount} ${gone}", "${", "plain"]
SIGNED = (
    '{"method":"GET","uriId":"/login","authHeader":"PowerAuth a=1","queryParams":{"a b":["é","1"],"c":"d"}}'
)
OPERATION = (
    '{"userId":"u","template":"t","parameters":{"amount":100.10,"note":"x"},"additionalData":{"a":[1.50]}}'
)
CALLBACK = '{"name":"n","type":"OPERATION_STATUS_CHANGE","callbackUrl":"https://bank.example/x","initialBackoff":"PT2.5S"}'


def _signed(text: str) -> str:
    return normalized_data(signed_request(VerifySignature.model_validate_json(text)), NONCE)


def cloud_formats() -> list[WireFormat]:
    """All of them."""
    return [
        WireFormat("first JSON value", [SIGNED + " x", OPERATION], read_first_json, (JsonError,), write_json),
        WireFormat("signed query", [SIGNED], _signed, (ValidationError, CloudError)),
        WireFormat("new operation", [OPERATION], CreateOperation.model_validate_json, (ValidationError,)),
        WireFormat("callback", [CALLBACK], SaveCallback.model_validate_json, (ValidationError,)),
        WireFormat("mobile text", TEXTS, lambda text: fill_mobile_text(text, PARAMETERS)),
        WireFormat("push text", TEXTS, lambda text: fill_push_text(text, PARAMETERS)),
        WireFormat(
            "typed code",
            ["1234 5678-12345678", "12345678"],
            lambda text: typed_code(text, one_factor=True),
            (CloudError,),
        ),
        WireFormat("Base64 property", [NONCE], lambda text: decoded(text, "data"), (CloudError,)),
        WireFormat("password of a registration", ["1234"], checked_otp, (CloudError,)),
        WireFormat("language", ["en"], checked_language, (CloudError,)),
        WireFormat("claim of texts", ["a b c"], texts),
        WireFormat("core id", ["7e0ba60f-bf22-4ff5-b999-2733784e5eaa"], is_core_id),
        WireFormat("name", ["a name"], is_storable),
        WireFormat("stored password", ["{argon2}$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaA"], is_hash),
    ]
