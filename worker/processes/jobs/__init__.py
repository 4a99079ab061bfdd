"""Long work that somebody asked for: each kind has its module, ``work`` takes and ends them."""
