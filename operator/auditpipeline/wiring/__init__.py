"""Who emits to which store: a pipeline's emitters, their URL sources and the endpoint these mean, resolved in a World."""
