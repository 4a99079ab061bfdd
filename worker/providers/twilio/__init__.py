"""SMS through Twilio (www.twilio.com)."""
