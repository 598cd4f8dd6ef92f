"""Signed statements about a device, for services behind the enrollment service."""
