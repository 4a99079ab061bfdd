"""Email through SendGrid (www.twilio.com/docs/sendgrid)."""
