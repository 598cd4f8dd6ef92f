"""The single-device view of registrations: version 1 of the API."""
