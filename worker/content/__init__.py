"""Texts: compiled Jinja2 templates, sandboxed and strict, and what they may say."""
