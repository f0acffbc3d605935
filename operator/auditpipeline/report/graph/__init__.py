"""Pipelines as pictures: Mermaid, DOT, SVG and HTML drawings of one graph."""
