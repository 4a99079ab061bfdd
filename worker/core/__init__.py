"""Pure rules: no clock, no environment, no input or output, nothing but the standard library."""
