"""Wire models and call tables of the doors between services, read by both sides."""
