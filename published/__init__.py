"""Other people's networks: their files read without running anything in them, recognised, and turned into ours."""

from published.parts import Found, Published, build
from published.recognise import recognise

__all__ = ["Found", "Published", "build", "recognise"]
