"""Telemetry reports."""
