-- What release 1.10 adds (spec/core-api.md §31.1).

ALTER TABLE pa_activation ADD COLUMN additional_data TEXT;
