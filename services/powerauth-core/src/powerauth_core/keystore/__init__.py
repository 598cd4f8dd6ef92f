"""Temporary keys."""
