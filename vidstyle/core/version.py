"""The version, in a module that can be read without loading the rest of the package."""

__version__ = "0.1.0"
