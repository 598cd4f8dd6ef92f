"""Registration and sign-in in the browser: the sessions of public ceremonies (spec/device-trust.md §4.9)."""
