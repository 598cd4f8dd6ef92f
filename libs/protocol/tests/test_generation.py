"""Every version is spoken by one generation, found in one place (spec/protocol-v3.md §0.1, §5.9, D17)."""

from __future__ import annotations

from typing import Any

import pytest

from powerauth_protocol.common.encoding import b64decode, b64encode
from powerauth_protocol.common.errors import HeaderError, VersionError
from powerauth_protocol.common.scope import Party
from powerauth_protocol.generation import (
    GENERATIONS,
    NEWEST,
    OLDEST,
    OLDEST_BOUND,
    forces_hash_counter,
    generation_of,
    generation_of_activation,
    is_at_least,
    makes_codes,
    read_authorization,
    version_of_members,
)
from powerauth_protocol.groups import EnvelopePurpose
from powerauth_protocol.v3.ecies import ClientEncryptor, EciesContext, EciesResponse, Scope, shared_info2_base
from powerauth_protocol.v3.keys import generate_key_pair
from powerauth_protocol.v3.versions import ProtocolVersion

SECRET = "YGFiY2RlZmdoaWprbG1ubw=="
PARTY = Party("UFFSU1RVVldYWVpbXF1eXw==", SECRET)


@pytest.mark.parametrize("text", ["", "2.1", "3", "3.4", "4.0", "3.3 "])
def test_a_version_that_nothing_speaks(text: str) -> None:
    with pytest.raises(VersionError):
        generation_of(text)


def test_the_versions_in_their_order() -> None:
    assert list(GENERATIONS) == ["3.0", "3.1", "3.2", "3.3"]
    for version in ProtocolVersion:
        assert generation_of(version.value).version is version
        assert is_at_least(version, OLDEST)
        assert is_at_least(version, NEWEST) is (version is NEWEST)
        assert is_at_least(version, OLDEST_BOUND) is generation_of(version).envelopes.bound_to_sender


@pytest.mark.parametrize(
    ("stored", "makes", "forced"),
    [(None, False, False), (1, False, False), (2, False, True), (3, True, True), (4, False, False)],
)
def test_which_activations_make_codes(stored: int | None, makes: bool, forced: bool) -> None:
    assert makes_codes(stored) is makes
    assert makes_codes(stored, by_hash_counter=True) is forced
    assert forces_hash_counter(stored) is makes
    assert generation_of_activation(stored).counter.length == 16


def test_a_header_of_an_unknown_version_is_refused_by_the_oldest_rules() -> None:
    fields = {
        "pa_activation_id": "2af1b2b6-8b2a-4c1e-9b2e-0a1b2c3d4e5f",
        "pa_application_key": PARTY.application_key,
        "pa_nonce": PARTY.application_key,
        "pa_signature_type": "possession",
        "pa_signature": "12345678",
        "pa_version": "4.0",
    }
    with pytest.raises(HeaderError) as refused:
        read_authorization(fields)
    assert refused.value.code == "POWER_AUTH_SIGNATURE_VERSION_INVALID"


def _sealed(version: ProtocolVersion) -> tuple[ClientEncryptor, dict[str, Any], Any]:
    pair = generate_key_pair()
    context = EciesContext(
        version=version,
        scope=Scope.APPLICATION,
        sh1=EnvelopePurpose.APPLICATION_GENERIC,
        application_key=PARTY.application_key,
        application_secret=SECRET,
        temporary_key_id="key" if version.facts.temporary_keys else None,
    )
    client = ClientEncryptor(context, pair.public, shared_info2_base(Scope.APPLICATION, SECRET))
    return client, client.encrypt(b"question").to_json_dict(), pair.private


@pytest.mark.parametrize("version", ProtocolVersion)
def test_an_envelope_is_opened_by_the_core_or_at_the_edge(version: ProtocolVersion) -> None:
    client, members, key = _sealed(version)
    envelope = generation_of(version).envelopes.read(members)
    assert version_of_members(members) is version
    assert envelope.members() == members
    opened = envelope.open(EnvelopePurpose.APPLICATION_GENERIC, PARTY, None, key)
    assert opened.plaintext == b"question"
    at_edge = envelope.open_at_edge(
        Party(PARTY.application_key), envelope.edge_keys(PARTY, key, 1_700_000_000_000)
    )
    assert at_edge.plaintext == b"question"
    answer = EciesResponse.from_json_dict(at_edge.seal(b"answer"), version)
    assert client.decrypt(answer) == b"answer"


def test_what_makes_an_envelope_unique() -> None:
    for version in ProtocolVersion:
        members = _sealed(version)[1]
        value = b64encode(generation_of(version).envelopes.read(members).replay_value("id"))
        nonce = members["nonce"] if version.facts.timestamp else ""
        assert value == b64encode(b64decode(members["ephemeralPublicKey"]) + b64decode(nonce) + b"id")
