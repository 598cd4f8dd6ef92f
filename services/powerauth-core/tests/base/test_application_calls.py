"""Applications, versions and roles (spec/core-api.md §5)."""


async def test_smoke(api, application):
    assert (await api.ok("application/list"))["applications"] == [
        {"applicationId": "test-application", "applicationRoles": []}
    ]
