"""Credentials of applications at the providers of push."""
