"""What a store and its emitters promise, as data: one YAML file for each era of the store."""
