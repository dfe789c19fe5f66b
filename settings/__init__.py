"""Every setting of every command, as frozen dataclasses.

Imports nothing but the standard library.
"""
