"""Renderings of one report: table for people, JSON for machines."""
