"""What the storm and the measurements stand on: servers, and what stands in for the providers."""
