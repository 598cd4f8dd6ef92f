"""Localised push texts, kept by this service."""
