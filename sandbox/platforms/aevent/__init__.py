"""AEvent's stand-in: the inbound webhook of one Timeline audience, and a Zapier that calls somebody else's."""

from sandbox.platforms.aevent.standin import AEvent

PLATFORM = AEvent

__all__ = ["PLATFORM"]
