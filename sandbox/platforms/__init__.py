"""The stand-ins, one module or package per platform."""
