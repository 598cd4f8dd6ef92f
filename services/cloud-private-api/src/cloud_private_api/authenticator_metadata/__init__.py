"""Metadata of authenticators, which the core keeps."""
