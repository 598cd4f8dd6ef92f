"""The fast path of the hot calls of both doors."""
