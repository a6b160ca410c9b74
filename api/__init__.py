"""How the registry is said to people and programs: REST, client, command line."""
