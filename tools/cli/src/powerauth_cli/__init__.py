"""The powerauth command: services, demo, device, operator and bench commands."""
