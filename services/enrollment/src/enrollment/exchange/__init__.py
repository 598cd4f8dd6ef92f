"""Echo endpoints that compatibility tests of clients call (spec/enrollment-api.md §18); off by default."""
