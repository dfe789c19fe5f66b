"""Settings to absl flags, --help, one-line errors, start-up: what every command does before its own
work.
"""
