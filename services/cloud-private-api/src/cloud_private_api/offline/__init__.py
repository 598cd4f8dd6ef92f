"""Approval of an operation without a connection: the QR code and the typed one-time password."""
