"""What every room stands on: tables, errors, settings, secrets at rest, outgoing HTTP."""
