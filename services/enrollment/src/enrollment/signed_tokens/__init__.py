"""Public endpoints of signed tokens: keys, discovery, what the core tells clients (device-trust §2.5)."""
