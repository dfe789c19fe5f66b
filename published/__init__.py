"""Other people's networks: their files read without running anything in them, recognised, and
turned into ours.
"""

from published.recognise import recognise

__all__ = ["recognise"]
