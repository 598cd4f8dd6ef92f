"""Operations: what a user approves on a device, online or by a rewritten code."""
