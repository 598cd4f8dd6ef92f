"""Activations: life cycle, keys, history, flags."""
