"""Signature verification, offline payloads and the signature audit."""
