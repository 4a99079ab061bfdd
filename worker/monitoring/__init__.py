"""What is told of the service: the account of its promise, alarms, and figures."""
