"""What is stored of passkeys."""
