"""Who may call: identities, roles, tokens, certificates."""
