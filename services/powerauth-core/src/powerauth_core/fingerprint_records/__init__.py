"""Fingerprints of devices and keys, as they are stored."""
