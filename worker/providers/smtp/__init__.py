"""Email through any mail server that speaks SMTP (RFC 5321)."""
