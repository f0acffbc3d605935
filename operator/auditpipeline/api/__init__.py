"""The product's vocabulary: condition types, reasons, findings and the AuditPipeline's spec. Knows nothing else."""
