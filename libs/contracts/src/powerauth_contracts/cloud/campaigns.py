"""Wire models of campaigns (spec/cloud-api.md §9.4)."""

from __future__ import annotations

from types import NoneType
from typing import Any

from pydantic import Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from powerauth_contracts.calls import Endpoint
from powerauth_contracts.cloud.messages import AppId, Extras, UserId
from powerauth_contracts.wire import RequestModel, StatusResponse, WireModel

MOST_USERS = 100_000
"""In one request."""


class CampaignMessage(RequestModel):
    """What a campaign says."""

    title: str = Field(repr=False)
    message: str = Field(repr=False)
    sound: str | None = Field(default=None, max_length=255)
    extras: Extras | None = Field(default=None, repr=False)


class CreateCampaign(RequestModel):
    """``POST /v2/campaigns``."""

    app_id: AppId | None = None
    message: CampaignMessage


class CreatedCampaign(WireModel):
    campaign_id: int


class ShownMessage(WireModel):
    """What a campaign says; members may be missing where others have made it."""

    title: str | None = None
    message: str | None = None
    sound: str | None = None
    extras: dict[str, Any] | None = None


class Campaign(WireModel):
    """A campaign; ``sent``: it was begun with."""

    campaign_id: int
    app_id: str
    sent: bool
    message: ShownMessage


class Campaigns(WireModel):
    campaigns: list[Campaign]


class CampaignUsers(WireModel):
    users: list[str]


class UserIds(RequestModel):
    """A bare array of users, by their ids."""

    users: list[UserId] = Field(max_length=MOST_USERS)

    @model_validator(mode="before")
    @classmethod
    def _of_an_array(cls, value: Any) -> Any:
        return {"users": value}

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        users: JsonSchemaValue = handler.resolve_ref_schema(handler(schema))["properties"]["users"]
        return users


class TestCampaign(RequestModel):
    """``POST /v2/campaigns/{id}/test``."""

    user_id: UserId


_ONE = "/v2/campaigns/{id}"
CREATE_CAMPAIGN = Endpoint("createCampaign", "POST", "/v2/campaigns", CreateCampaign, CreatedCampaign)
LIST_CAMPAIGNS = Endpoint("listCampaigns", "GET", "/v2/campaigns", NoneType, Campaigns)
GET_CAMPAIGN = Endpoint("getCampaign", "GET", _ONE, NoneType, Campaign)
REMOVE_CAMPAIGN = Endpoint("removeCampaign", "DELETE", _ONE, NoneType, StatusResponse)
ADD_CAMPAIGN_USERS = Endpoint("addCampaignUsers", "POST", f"{_ONE}/users", UserIds, StatusResponse)
REMOVE_CAMPAIGN_USERS = Endpoint("removeCampaignUsers", "DELETE", f"{_ONE}/users", UserIds, StatusResponse)
LIST_CAMPAIGN_USERS = Endpoint("listCampaignUsers", "GET", f"{_ONE}/users", NoneType, CampaignUsers)
SEND_CAMPAIGN = Endpoint("sendCampaign", "POST", f"{_ONE}/send", NoneType, StatusResponse)
TEST_CAMPAIGN = Endpoint("testCampaign", "POST", f"{_ONE}/test", TestCampaign, StatusResponse)
