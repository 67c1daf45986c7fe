"""Klaviyo's stand-in (revision 2026-10-15): JSON:API profiles, events, lists, bulk jobs, suppression, webhooks."""

from sandbox.platforms.klaviyo.standin import Klaviyo

PLATFORM = Klaviyo

__all__ = ["PLATFORM"]
