"""Shopify's stand-in (Admin API 2026-10): REST and GraphQL over one shop, and its signed webhooks."""

from sandbox.platforms.shopify.standin import Shopify as PLATFORM

__all__ = ["PLATFORM"]
