"""Shopify's stand-in (Admin API 2026-10): REST and GraphQL over one shop, and its signed webhooks."""

from sandbox.platforms.shopify.standin import Shopify

PLATFORM = Shopify

__all__ = ["PLATFORM"]
