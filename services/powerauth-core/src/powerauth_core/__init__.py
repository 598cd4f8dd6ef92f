"""The isolated core: activation state, keys, verification."""
