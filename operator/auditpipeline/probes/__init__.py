"""What can only be learned by asking: each probe turns answers into frozen evidence, and never judges."""
