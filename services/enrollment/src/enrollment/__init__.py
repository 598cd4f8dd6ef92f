"""The public API for phones, in the DMZ."""
