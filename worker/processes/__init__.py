"""The processes of the service: the clock loop, the workers, and who starts and examines them."""
