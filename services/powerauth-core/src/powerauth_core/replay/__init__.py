"""Unique values against replay."""
