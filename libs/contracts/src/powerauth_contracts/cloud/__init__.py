"""The bank's door: the cloud's API (spec/cloud-api.md)."""
