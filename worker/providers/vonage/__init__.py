"""SMS through Vonage (www.vonage.com), which was Nexmo."""
