"""System users: who may call this API, with which roles and applications."""
