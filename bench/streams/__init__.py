"""Streams: Rillgate beside what a user would take instead, and beside the limit."""
