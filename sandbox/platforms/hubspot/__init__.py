"""A stand-in for HubSpot's CRM, lists, communication preferences, events and webhooks."""

from sandbox.platforms.hubspot.standin import HubSpot

PLATFORM = HubSpot

__all__ = ["PLATFORM", "HubSpot"]
