"""Device fingerprints as values: payload, what is stored of it, how alike two are; no database, no HTTP."""
