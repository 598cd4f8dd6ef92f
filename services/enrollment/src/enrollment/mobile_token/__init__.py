"""The Mobile Token API: operations listed, shown, approved and rejected (spec/enrollment-api.md §10)."""
