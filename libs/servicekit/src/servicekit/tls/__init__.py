"""TLS on our ports and between our services, with files that are renewed while they are in use."""
