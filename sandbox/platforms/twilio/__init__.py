"""Twilio's stand-in: the message log, sending, consent writes; the hosts api, accounts and messaging share one port."""

from sandbox.platforms.twilio.standin import Twilio

PLATFORM = Twilio

__all__ = ["PLATFORM"]
