"""A message in the words of each provider. Pure: values in, bytes out (spec/push-api.md §10 to §13)."""
