module auditpipeline.dev/tests/pause

go 1.26.0
