"""Composition: files and environment are read, and a process is put together from them."""
