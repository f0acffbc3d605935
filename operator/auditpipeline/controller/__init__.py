"""The operator's shell: watches fill a World, a keyed queue decides who is judged, one writer stores what changed."""
