"""The domain: models, candidates, scores. No gRPC, files, event loop or wall clock in here."""
